import type { VaultErrorDetails } from './vault-error.js';
import { VaultError } from './vault-error.js';

/**
 * A rate limit or quota of the server was hit (429).
 * @publicApi
 */
export class VaultRateLimitedError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultRateLimitedError';
  readonly code = 'VAULT_RATE_LIMITED';
  /** How long the server asks to wait (`Retry-After`), in milliseconds. */
  readonly retryAfterMs?: number;

  constructor(message: string, details: VaultErrorDetails & { readonly retryAfterMs?: number | undefined } = {}) {
    super(message, details);
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
  }

  override get retryable(): boolean {
    return true;
  }
}
