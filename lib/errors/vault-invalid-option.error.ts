import { VaultError } from './vault-error.js';

/**
 * An option of the module is unknown, missing or unusable. The message names the option.
 * @publicApi
 */
export class VaultInvalidOptionError extends VaultError {
  readonly code = 'VAULT_INVALID_OPTION';
}
