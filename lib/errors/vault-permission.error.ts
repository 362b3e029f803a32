import { VaultError } from './vault-error.js';

/**
 * The token is valid but no policy of it allows the call. The message holds the policy stanza that would.
 * @publicApi
 */
export class VaultPermissionError extends VaultError {
  readonly code = 'VAULT_PERMISSION_DENIED';
}
