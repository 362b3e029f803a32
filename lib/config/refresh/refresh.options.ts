import type { Shape } from '../../options/check-options.js';
import { is, positive } from '../../options/check-options.js';

/**
 * How the configuration is kept current in a running application.
 * @publicApi
 */
export interface VaultRefreshOptions {
  /** How often every source is read, in milliseconds; each time up to 20 % earlier. At least 50. Default: 300 000. */
  readonly intervalMs?: number;
  /** Refresh on SIGHUP too. Default: `false`. */
  readonly sighup?: boolean;
}

/** @internal */
export const REFRESH_INTERVAL_MS = 300_000;

/** @internal */
export const REFRESH_SHAPE = {
  intervalMs: (value) => ((positive(value) ?? (value as number) < 50) ? 'a number of milliseconds from 50' : undefined),
  sighup: is('boolean'),
} satisfies Record<keyof VaultRefreshOptions, Shape[string]>;
