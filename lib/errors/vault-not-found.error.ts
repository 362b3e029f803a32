import type { VaultErrorDetails } from './vault-error.js';
import { VaultError } from './vault-error.js';

/**
 * Nothing is stored at the path, or no engine is mounted there (Vault answers 404 to both; `nothingStored` tells them
 * apart).
 * @publicApi
 */
export class VaultNotFoundError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultNotFoundError';
  readonly code = 'VAULT_NOT_FOUND';
  /**
   * True when the response is exactly the one of an engine that has nothing at the path (`{"errors":[]}`); false for any
   * other 404: no engine at this mount path, another kind of path, an unknown namespace, or a proxy that responded.
   */
  readonly nothingStored: boolean;

  constructor(message: string, details: VaultErrorDetails & { readonly nothingStored?: boolean } = {}) {
    super(message, details);
    this.nothingStored = details.nothingStored ?? true;
  }
}
