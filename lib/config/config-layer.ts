import type { VaultError } from '../errors/index.js';
import type { Environment } from '../options/env-file.js';
import type { NamespaceDefinition } from './namespaces/config-namespace.js';
import type { ExportedVariables } from './variables/exported-variables.js';
import type { VaultRefreshOptions } from './refresh/refresh.options.js';
import type { ConfigFactories } from './sources/config-factories.js';
import type { VaultPrecedence } from './assembly/precedence.js';
import type { ReferenceRules } from './references/reference.options.js';
import type { SecretFiles } from './files/secret-files.js';
import type { StandardSchema } from './standard-schema.js';
import type { ResolvedSource } from './sources/vault-source.js';

/** Sources that are merged and validated together. @internal */
export interface ConfigLayer {
  /** How errors call it: the option it was given in, or the name of the namespace. */
  readonly option: string;
  /** Containers its values go into, outermost first; empty for the top level. */
  readonly path: readonly string[];
  /** In ascending precedence. */
  readonly sources: readonly ResolvedSource[];
  readonly schema?: StandardSchema | undefined;
  /** Whether it is a failure if none of its sources exists. */
  readonly atLeastOne?: boolean;
  /** The namespace it is. */
  readonly namespace?: NamespaceDefinition;
  /** Name of a namespace that only `forFeature` asks for, so that not every application needs it. */
  readonly feature?: string;
}

/** All that is read and how it is put together, in ascending precedence. @internal */
export interface ConfigPlan {
  readonly layers: readonly ConfigLayer[];
  /** Makes the error of what cannot be done, when the module is disabled. */
  readonly disabled?: ((operation: string) => VaultError) | undefined;
  /** Namespaces that every application gets, unlike those of `forFeature`. */
  readonly namespaces: readonly NamespaceDefinition[];
  /** As it was when the options were resolved: templates are filled from it, also later, and a refresh goes by it. */
  readonly environment: Environment;
  readonly precedence: VaultPrecedence;
  /** Weaker than every layer. */
  readonly factories: ConfigFactories;
  /** The files of this boot. */
  readonly files: SecretFiles;
  /** How references are understood; `undefined` when they are off. */
  readonly references: ReferenceRules | undefined;
  /** Whether every value is there under its name in capitals too. */
  readonly aliases: boolean;
  /** The variables of this boot, when it was asked for any. */
  readonly exported?: ExportedVariables | undefined;
  /** Validates the whole once it is put together. */
  readonly schema?: StandardSchema | undefined;
  /** How it is kept current; `undefined` = only on demand. */
  readonly refresh?: VaultRefreshOptions | undefined;
}
