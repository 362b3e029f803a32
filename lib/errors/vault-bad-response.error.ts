import { VaultError } from './vault-error.js';

/**
 * The answer is not what Vault's API would send: not JSON, cut short, too large, without the expected fields, or
 * with a number that JavaScript cannot hold (`reason` is `inexact-number` then).
 * @publicApi
 */
export class VaultBadResponseError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultBadResponseError';
  readonly code = 'VAULT_BAD_RESPONSE';
}
