import type { VaultError } from '../errors/index.js';
import type { Environment } from '../options/env-file.js';
import type { VaultPrecedence } from './assembly/environment-precedence.js';
import type { NamespaceDefinition } from './namespaces/config-namespace.js';
import type { ReferenceRules } from './references/reference.options.js';
import type { VaultRefreshOptions } from './refresh/refresh.options.js';
import type { VaultConfigFactory } from './sources/factories.js';
import type { ResolvedSource } from './sources/vault-source.js';
import type { StandardSchema } from './standard-schema.js';
import type { ExportedKeys } from './variables/exported-variables.js';

/** Sources that are merged and validated together. @internal */
export interface ConfigLayer {
  /** Name in errors: the option it was given in, or the namespace. */
  readonly option: string;
  /** Path that its values go below; empty for the top level. */
  readonly path: readonly string[];
  /** In ascending precedence. */
  readonly sources: readonly ResolvedSource[];
  readonly schema?: StandardSchema | undefined;
  /** Whether it is a failure if none of its sources exists. */
  readonly atLeastOne?: boolean;
  /** Set if the layer is a namespace. */
  readonly namespace?: NamespaceDefinition;
  /** Name of a namespace that only `forFeature` asks for: not every application needs it. */
  readonly feature?: string;
}

/**
 * What is read and how it is assembled. Only data, and frozen: it holds no files, connections or results, so that it can be
 * made and thrown away without effects.
 * @internal
 */
export interface ConfigPlan {
  /** In ascending precedence. */
  readonly layers: readonly ConfigLayer[];
  /** Creates the error of an operation that is not possible because the module is disabled. */
  readonly disabled?: ((operation: string) => VaultError) | undefined;
  /** Namespaces that every application gets, unlike those of `forFeature`. */
  readonly namespaces: readonly NamespaceDefinition[];
  /** As it was when the options were resolved: templates are filled from it, also later, and refreshes use it. */
  readonly environment: Environment;
  readonly precedence: VaultPrecedence;
  /** Their values rank below every layer. */
  readonly factories: readonly VaultConfigFactory[];
  /** Folder for files without a path of their own. Created when the first file is written. */
  readonly filesFolder: string;
  /** `undefined` when references are off. */
  readonly references: ReferenceRules | undefined;
  /** Whether every value is also available under its name in capitals. */
  readonly aliases: boolean;
  /** What is written to `process.env`. */
  readonly exports?: ExportedKeys | undefined;
  /** Validates the merged configuration. */
  readonly schema?: StandardSchema | undefined;
  /** `undefined` = only on demand. */
  readonly refresh?: VaultRefreshOptions | undefined;
}
