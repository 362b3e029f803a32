import type { Shape } from '../options/check-options.js';
import { anything } from '../options/check-options.js';
import type { VaultConfigFactory } from './sources/config-factories.js';
import type { VaultLayoutOptions } from './sources/layout.js';
import { LAYOUT_SHAPE } from './sources/layout.js';
import type { VaultSnapshotOptions } from './snapshot/snapshot.options.js';
import { SNAPSHOT_SHAPE } from './snapshot/snapshot.options.js';
import type { VaultRefreshOptions } from './refresh/refresh.options.js';
import { REFRESH_SHAPE } from './refresh/refresh.options.js';
import type { VaultPrecedence } from './assembly/precedence.js';
import type { VaultReferenceOptions } from './references/reference.options.js';
import type { StandardSchema } from './standard-schema.js';
import { isStandardSchema } from './standard-schema.js';
import type { VaultConfigNamespace } from './namespaces/config-namespace.js';
import type { VaultSource } from './sources/vault-source.js';
import { aliases } from './sources/vault-source.js';

/**
 * What is read into `ConfigService` before any provider of the application is created.
 * @publicApi
 */
export interface VaultConfigOptions {
  /** Secrets laid out by application and profile; weaker than `sources`. */
  readonly layout?: VaultLayoutOptions;
  /** Secrets to read, in ascending precedence: later ones win, key by key. */
  readonly sources?: readonly (VaultSource | VaultConfigNamespace<object>)[];
  /**
   * Factories as in `ConfigModule.forRoot({ load })`, `registerAs` included. While they run, variables of `process.env` that
   * hold references have the values in their place. What they make goes into `ConfigService`, with references in it resolved;
   * weaker than `layout` and `sources`. They run again when a refresh brings other values for those variables.
   */
  readonly load?: readonly VaultConfigFactory[];
  /**
   * Whether references such as `vault:secret/data/my-app/db#password` are resolved, in variables of the environment and
   * `.env` and in what `load` makes; and how. Default: `true`.
   */
  readonly references?: boolean | VaultReferenceOptions;
  /**
   * `env`: a variable that is set, in the environment or `.env`, wins over a value of Vault with the same key, or the same
   * key in capitals. Default: `vault`.
   */
  readonly precedence?: VaultPrecedence;
  /** Every value under its name in capitals too: `database.maxPoolSize` also as `DATABASE_MAX_POOL_SIZE`. */
  readonly aliases?: 'SCREAMING_CASE';
  /** Validates everything that came from Vault; what it makes of the values is what the application gets. */
  readonly schema?: StandardSchema<unknown, unknown>;
  /** Keeps an encrypted copy on disk, to start on when Vault cannot be reached. Default: none. */
  readonly snapshot?: VaultSnapshotOptions;
  /**
   * Writes values to `process.env` too, for code that looks nowhere else: a list of keys, `'references'` for the variables
   * that hold references, which get the values in their place, or `true` for all keys. Top-level keys keep their names,
   * `database.url` becomes `DATABASE_URL`. They are there before any factory of `load` runs and before any provider is
   * created, stay current, and are restored when the application closes. Everything the process starts inherits them.
   * Default: `false`.
   */
  readonly exportToProcessEnv?: boolean | 'references' | readonly string[];
  /** Keeps the values current while the application runs. Default: only `vault.refresh()` does. */
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
  references: anything,
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
