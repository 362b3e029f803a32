import { VaultError } from './vault-error.js';

/**
 * A login was refused, a credential is missing or unusable, or the token is not known to the server.
 * @publicApi
 */
export class VaultAuthenticationError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultAuthenticationError';
  readonly code = 'VAULT_AUTHENTICATION';
}
