import { VaultError } from './vault-error.js';

/**
 * The server has not been initialised yet (`bao operator init`).
 * @publicApi
 */
export class VaultNotInitializedError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultNotInitializedError';
  readonly code = 'VAULT_NOT_INITIALIZED';

  override get retryable(): boolean {
    return true;
  }
}
