import type { VaultConfigurationError } from '../errors/index.js';
import type { ConfigTree } from './config-tree.js';
import type { SecretFile } from './files/secret-files.js';
import type { PendingValues } from './refresh/kept-values.js';
import type { SecretReads } from './sources/read-secrets.js';
import type { ResolvedSource } from './sources/vault-source.js';
import type { VariableTexts } from './variables/variables.js';

/** For each source that is not refreshed, the reads that its values come from, references in it included. @internal */
export type RetainedReads = ReadonlyMap<ResolvedSource, SecretReads>;

/** The configuration assembled from one set of reads. @internal */
export interface Configuration {
  /** All values, aliases included. */
  readonly tree: ConfigTree;
  /** The values written into `ConfigService`: without environment variables that it finds itself. */
  readonly written: ConfigTree;
  /** Environment variables that hold references, resolved. */
  readonly referenceVariables: ConfigTree;
  /** The same as texts for `process.env`. */
  readonly variableTexts: VariableTexts;
  readonly reads: SecretReads;
  readonly retainedReads: RetainedReads;
  /** Values in Vault that `refresh` options keep from the application. */
  readonly pending: PendingValues;
  /** Files to write before the values are used: some values are their paths. */
  readonly files: readonly SecretFile[];
  /** Namespaces named only by `forFeature` that could not be loaded: errors of the applications that use them. */
  readonly failedFeatures: ReadonlyMap<string, VaultConfigurationError>;
}
