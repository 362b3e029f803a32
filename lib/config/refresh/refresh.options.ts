import type { Shape } from '../../options/check-options.js';
import { is, positive } from '../../options/check-options.js';
import { isKeyPath } from '../reserved-keys.js';

/**
 * How the configuration is kept current in a running application.
 * @publicApi
 */
export interface VaultRefreshOptions {
  /** How often every source is read, in milliseconds; each time up to 20 % earlier. At least 50. Default: 300 000. */
  readonly intervalMs?: number;
  /** Refresh on SIGHUP too. Default: `false`. */
  readonly sighup?: boolean;
  /**
   * Only these keys change in a running application; everything else keeps the value it had at boot. A key stands for all
   * below it too: `database` for `database.password`. The log warns of one that the configuration does not have.
   * Default: all keys.
   */
  readonly keys?: readonly string[];
}

/** @internal */
export const REFRESH_INTERVAL_MS = 300_000;

/** @internal */
export const REFRESH_SHAPE = {
  intervalMs: (value) => ((positive(value) ?? (value as number) < 50) ? 'a number of milliseconds from 50' : undefined),
  sighup: is('boolean'),
  keys: (value) =>
    Array.isArray(value) && value.length > 0 && value.every((key) => typeof key === 'string' && isKeyPath(key))
      ? undefined
      : 'a list of keys such as "database.password", not an empty one',
} satisfies Record<keyof VaultRefreshOptions, Shape[string]>;
