import type { VaultErrorDetails } from './vault-error.js';
import { VaultError } from './vault-error.js';

/**
 * The server denied the call (403). Vault answers an invalid token and a missing policy almost alike; `policyDenied`
 * tells them apart where the wording of the answer does.
 * @publicApi
 */
export class VaultPermissionError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultPermissionError';
  readonly code = 'VAULT_PERMISSION_DENIED';
  /** True when the token is valid and a policy is missing; false when the token itself may be at fault. */
  readonly policyDenied: boolean;

  constructor(message: string, details: VaultErrorDetails & { readonly policyDenied?: boolean } = {}) {
    super(message, details);
    this.policyDenied = details.policyDenied ?? false;
  }
}
