import type { Shape } from '../options/check-options.js';
import { unchecked } from '../options/check-options.js';
import type { VaultConfigFactory } from './sources/factories.js';
import type { VaultLayoutOptions } from './sources/layout.js';
import { LAYOUT_SHAPE } from './sources/layout.js';
import type { VaultSnapshotOptions } from './snapshot/snapshot.options.js';
import { SNAPSHOT_SHAPE } from './snapshot/snapshot.options.js';
import type { VaultRefreshOptions } from './refresh/refresh.options.js';
import { REFRESH_SHAPE } from './refresh/refresh.options.js';
import type { VaultPrecedence } from './assembly/environment-precedence.js';
import type { VaultReferenceOptions } from './references/reference.options.js';
import type { StandardSchema } from './standard-schema.js';
import { isStandardSchema } from './standard-schema.js';
import type { VaultConfigNamespace } from './namespaces/config-namespace.js';
import type { VaultSource } from './sources/vault-source.js';
import { aliases } from './sources/vault-source.js';

/**
 * The configuration that is read into `ConfigService` before any provider of the application is created.
 * @publicApi
 */
export interface VaultConfigOptions {
  /** Shared and application secrets, by profile. `sources` take precedence. */
  readonly layout?: VaultLayoutOptions;
  /** Secrets and configuration namespaces to read. Later ones take precedence, key by key. */
  readonly sources?: readonly (VaultSource | VaultConfigNamespace<object>)[];
  /**
   * Factories as in `ConfigModule.forRoot({ load })`, including `registerAs`. While they run, variables in
   * `process.env` that contain references have the resolved values. References in their results are resolved too.
   * `layout` and `sources` take precedence over the results. The factories run again when a refresh changes those
   * variables.
   */
  readonly load?: readonly VaultConfigFactory[];
  /**
   * Whether and how to resolve references such as `vault:secret/data/my-app/db#password` in environment variables,
   * `.env` and the results of `load`. Default: `true`.
   */
  readonly references?: boolean | VaultReferenceOptions;
  /**
   * `env`: a variable that is set, in the environment or `.env`, takes precedence over a Vault value with the same
   * key, or with the same key in uppercase. Default: `vault`.
   */
  readonly precedence?: VaultPrecedence;
  /**
   * Also makes every value available under its uppercase name: `database.maxPoolSize` as `DATABASE_MAX_POOL_SIZE`.
   * Default: none.
   */
  readonly aliases?: 'SCREAMING_CASE';
  /**
   * Validates everything that came from Vault and `load`. The application gets the output of the schema. Default:
   * none.
   */
  readonly schema?: StandardSchema<unknown, unknown>;
  /** Keeps an encrypted copy on disk, to boot from if Vault is unavailable. Default: none. */
  readonly snapshot?: VaultSnapshotOptions;
  /**
   * Also writes values to `process.env`, for code that reads nothing else: a list of keys, `'references'` for the
   * variables that contain references, or `true` for all keys. Top-level keys keep their names; `database.url` becomes
   * `DATABASE_URL`. The variables are set before factories of `load` run and before any provider is created, follow a
   * refresh, and are restored when the application closes. Child processes inherit them. Default: `false`.
   */
  readonly exportToProcessEnv?: boolean | 'references' | readonly string[];
  /** Reads the values again while the application runs. Default: only `vault.refresh()` does. */
  readonly refresh?: VaultRefreshOptions;
}

/** @internal */
export const CONFIG_SHAPE = {
  layout: LAYOUT_SHAPE,
  sources: (value) => (Array.isArray(value) ? undefined : 'a list'),
  load: (value) =>
    Array.isArray(value) && value.every((entry) => typeof entry === 'function' || entry instanceof Promise)
      ? undefined
      : 'a list of functions',
  // Checked where it is resolved.
  references: unchecked,
  precedence: (value) => (value === 'vault' || value === 'env' ? undefined : '"vault" or "env"'),
  aliases,
  schema: (value) =>
    isStandardSchema(value) ? undefined : 'a Standard Schema, such as one of zod (from 3.24), valibot or arktype',
  snapshot: SNAPSHOT_SHAPE,
  refresh: REFRESH_SHAPE,
  exportToProcessEnv: (value) =>
    typeof value === 'boolean' ||
    value === 'references' ||
    (Array.isArray(value) && value.length > 0 && value.every((key) => typeof key === 'string' && key !== ''))
      ? undefined
      : 'true, false, "references" or a list of keys, not an empty one',
} satisfies Record<keyof VaultConfigOptions, Shape[string]>;
