import { isVaultError, VaultConfigurationError } from '../errors/index.js';
import type { VaultError, VaultErrorCode } from '../errors/index.js';

/** Of a Vault that answers nothing of use, or nothing at all. TLS is not among them: that is a wrong server or a wrong setting. */
const UNREACHABLE: readonly VaultErrorCode[] = [
  'VAULT_CONNECTION',
  'VAULT_RATE_LIMITED',
  'VAULT_SEALED',
  'VAULT_SERVER',
  'VAULT_TIMEOUT',
];

/** Whether every reason of a failure is that Vault is away: one denied secret among ten that timed out is another matter. @internal */
export function isUnreachable(error: unknown): error is VaultError {
  if (error instanceof VaultConfigurationError) return error.errors.length > 0 && error.errors.every(isUnreachable);
  return isVaultError(error) && UNREACHABLE.includes(error.code);
}
