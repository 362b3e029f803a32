import { VaultError } from './vault-error.js';

/**
 * The caller's own `AbortSignal` ended the call.
 * @publicApi
 */
export class VaultAbortedError extends VaultError {
  readonly code = 'VAULT_ABORTED';
}
