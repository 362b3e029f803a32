import { VaultError } from '../errors/vault-error.js';

/**
 * What went wrong with a test server: no `binary` was found or could be fetched, the server did not `start`, an administrative
 * `request` was refused, or the `usage` cannot work (an option, a call at the wrong time).
 * @publicApi
 */
export type VaultTestServerProblem = 'binary' | 'start' | 'request' | 'usage';

/**
 * Thrown by everything in `nestjs-vault/testing`. The message says what failed and what to do; it may quote the server's own
 * output, which carries no secrets, and never a token, an unseal key or a value that was written.
 * @publicApi
 */
export class VaultTestServerError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultTestServerError';
  readonly code = 'VAULT_TEST_SERVER';

  constructor(
    readonly problem: VaultTestServerProblem,
    message: string,
    details: { path?: string; statusCode?: number } = {},
  ) {
    super(message, details);
  }
}
