import { VaultError } from '../errors/vault-error.js';

/**
 * What failed: no `binary` was found or could be downloaded, the server did not `start`, an administrative `request`
 * was refused, or the `usage` is wrong (an option, a call at the wrong time).
 * @publicApi
 */
export type VaultTestServerProblem = 'binary' | 'start' | 'request' | 'usage';

/**
 * A test server failed. Thrown by everything in `nestjs-vault/testing`. The message may quote the output of the
 * server, which contains no secrets, and never contains a token, an unseal key or a value that was written.
 * @publicApi
 */
export class VaultTestServerError extends VaultError {
  /** Set explicitly because bundlers may rename the class. @internal */
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
