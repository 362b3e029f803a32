import type { VaultErrorCode } from '../errors/index.js';
import { isVaultError } from '../errors/index.js';
import { failureKind } from '../errors/redact.js';

/**
 * What an event may say of an error. The message of an error that is not this module's may hold anything, so only its kind
 * is told.
 * @internal
 */
export function factsOfFailure(error: unknown): { readonly code: VaultErrorCode | undefined; readonly reason: string } {
  if (isVaultError(error)) return { code: error.code, reason: error.message };
  return { code: undefined, reason: `unexpected ${failureKind(error)}` };
}
