import { VaultError } from './vault-error.js';

/**
 * The module is disabled (`enabled: false`, `NESTJS_VAULT_ENABLED=false`): there is no connection to Vault.
 * @publicApi
 */
export class VaultDisabledError extends VaultError {
  readonly code = 'VAULT_DISABLED';
}
