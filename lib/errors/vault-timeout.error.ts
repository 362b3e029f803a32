import { VaultError } from './vault-error.js';

/**
 * The call did not finish within its deadline.
 * @publicApi
 */
export class VaultTimeoutError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultTimeoutError';
  readonly code = 'VAULT_TIMEOUT';

  override get retryable(): boolean {
    return true;
  }
}
