import { VaultError } from './vault-error.js';

/**
 * The answer is not what Vault's API would send: not JSON, cut short, too large, or without the expected fields.
 * @publicApi
 */
export class VaultBadResponseError extends VaultError {
  readonly code = 'VAULT_BAD_RESPONSE';
}
