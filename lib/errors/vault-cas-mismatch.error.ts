import { VaultError } from './vault-error.js';

/**
 * A check-and-set write lost: the secret's current version is not the one the caller named.
 * @publicApi
 */
export class VaultCasMismatchError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultCasMismatchError';
  readonly code = 'VAULT_CAS_MISMATCH';
}
