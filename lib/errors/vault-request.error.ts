import { VaultError } from './vault-error.js';

/**
 * The server refused the request as such (a 4xx status without a class of its own).
 * @publicApi
 */
export class VaultRequestError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultRequestError';
  readonly code = 'VAULT_REQUEST';
}
