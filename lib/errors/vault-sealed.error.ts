import { VaultError } from './vault-error.js';

/**
 * The server is sealed and answers nothing until it has been unsealed.
 * @publicApi
 */
export class VaultSealedError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultSealedError';
  readonly code = 'VAULT_SEALED';

  override get retryable(): boolean {
    return true;
  }
}
