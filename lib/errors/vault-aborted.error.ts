import { VaultError } from './vault-error.js';

/**
 * The caller's own `AbortSignal` ended the call.
 * @publicApi
 */
export class VaultAbortedError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultAbortedError';
  readonly code = 'VAULT_ABORTED';
}
