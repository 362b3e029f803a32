import { VaultError } from './vault-error.js';

/**
 * The application has been closed; its Vault session no longer takes calls.
 * @publicApi
 */
export class VaultClosedError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultClosedError';
  readonly code = 'VAULT_CLOSED';
}
