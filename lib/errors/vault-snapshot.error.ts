import { VaultError } from './vault-error.js';

/**
 * The snapshot of the configuration could not be written or used. `reason` has one word for why: an errno code, or
 * `symlink`, `not-a-file`, `too-large`, `truncated`, `not-a-snapshot`, `unknown-version`, `foreign`, `wrong-key`,
 * `no-key`, `too-old`, `future`, `incomplete`.
 * @publicApi
 */
export class VaultSnapshotError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultSnapshotError';
  readonly code = 'VAULT_SNAPSHOT';
}
