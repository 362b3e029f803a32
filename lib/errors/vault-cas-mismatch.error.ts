import { VaultError } from './vault-error.js';

/**
 * A check-and-set write lost: the secret's current version is not the one the caller named.
 * @publicApi
 */
export class VaultCasMismatchError extends VaultError {
  readonly code = 'VAULT_CAS_MISMATCH';
}
