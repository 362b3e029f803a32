import { VaultError } from './vault-error.js';

/**
 * The server refused the request as such (a 4xx status without a class of its own).
 * @publicApi
 */
export class VaultRequestError extends VaultError {
  readonly code = 'VAULT_REQUEST';
}
