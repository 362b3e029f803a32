import { VaultError } from './vault-error.js';

/**
 * The application has been closed; its Vault session no longer takes calls.
 * @publicApi
 */
export class VaultClosedError extends VaultError {
  readonly code = 'VAULT_CLOSED';
}
