import { VaultError } from './vault-error.js';

/**
 * A path or name was refused before any request was made: empty, `.` or `..` segment, slash where none may be, control character.
 * @publicApi
 */
export class VaultInvalidPathError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultInvalidPathError';
  readonly code = 'VAULT_INVALID_PATH';
}
