import { VaultError } from './vault-error.js';

/**
 * The TLS handshake failed: unknown authority, expired certificate, wrong host name, or a client certificate the server wants.
 * @publicApi
 */
export class VaultTlsError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultTlsError';
  readonly code = 'VAULT_TLS';
}
