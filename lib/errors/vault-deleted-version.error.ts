import type { VaultErrorDetails } from './vault-error.js';
import { VaultError } from './vault-error.js';

/**
 * The path exists, but this version of the secret holds no data any more.
 * @publicApi
 */
export class VaultDeletedVersionError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultDeletedVersionError';
  readonly code = 'VAULT_DELETED_VERSION';
  /** The version concerned. */
  readonly version?: number;
  /** True when its data is gone for good; false when `undelete` brings it back. */
  readonly destroyed: boolean;
  /** When it was deleted (RFC 3339), if it was. */
  readonly deletionTime?: string;

  constructor(
    message: string,
    details: VaultErrorDetails & {
      readonly destroyed: boolean;
      readonly version?: number | undefined;
      readonly deletionTime?: string | undefined;
    },
  ) {
    super(message, details);
    this.destroyed = details.destroyed;
    if (details.version !== undefined) this.version = details.version;
    if (details.deletionTime !== undefined) this.deletionTime = details.deletionTime;
  }
}
