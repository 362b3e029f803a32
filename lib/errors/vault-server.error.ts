import { VaultError } from './vault-error.js';

/**
 * The server, or a proxy before it, failed (a 5xx status without a class of its own).
 * @publicApi
 */
export class VaultServerError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultServerError';
  readonly code = 'VAULT_SERVER';

  override get retryable(): boolean {
    return true;
  }
}
