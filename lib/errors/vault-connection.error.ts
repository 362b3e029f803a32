import { VaultError } from './vault-error.js';

/**
 * No connection to the server, or the connection broke before the answer was complete.
 * @publicApi
 */
export class VaultConnectionError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultConnectionError';
  readonly code = 'VAULT_CONNECTION';

  override get retryable(): boolean {
    return true;
  }
}
