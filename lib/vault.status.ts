import type { VaultEndpointStatus } from './client/endpoints.js';
import type { VaultConfigurationStatus } from './config/refresh/config-status.js';
import type { VaultSessionStatus } from './session/session-options.js';

/**
 * The state of the module at one moment. Contains no token and no value of a secret.
 * @publicApi
 */
export interface VaultStatus {
  /** Whether the application is logged in, and as whom. */
  readonly session: VaultSessionStatus;
  /** The servers in `endpoint`, in that order; none with `enabled: false`. */
  readonly endpoints: readonly VaultEndpointStatus[];
  /** How current the values in `ConfigService` are. */
  readonly configuration: VaultConfigurationStatus;
}
