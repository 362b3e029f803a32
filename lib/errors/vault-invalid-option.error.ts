import { VaultError } from './vault-error.js';

/**
 * An option of the module is unknown, missing or unusable. The message names the option.
 * @publicApi
 */
export class VaultInvalidOptionError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultInvalidOptionError';
  readonly code = 'VAULT_INVALID_OPTION';
}
