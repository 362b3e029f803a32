import { VaultError } from './vault-error.js';

/**
 * The call did not finish within its deadline.
 * @publicApi
 */
export class VaultTimeoutError extends VaultError {
  readonly code = 'VAULT_TIMEOUT';

  override get retryable(): boolean {
    return true;
  }
}
