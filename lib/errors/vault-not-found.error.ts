import { VaultError } from './vault-error.js';

/**
 * Nothing is stored at the path, or no engine is mounted there (Vault answers 404 to both).
 * @publicApi
 */
export class VaultNotFoundError extends VaultError {
  readonly code = 'VAULT_NOT_FOUND';
}
