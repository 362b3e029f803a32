import type { Shape } from '../../options/check-options.js';
import { typeOf, positiveNumber } from '../../options/check-options.js';
import { isKeyPath } from '../reserved-keys.js';

/**
 * When and what to read again in a running application.
 * @publicApi
 */
export interface VaultRefreshOptions {
  /**
   * Interval between two refreshes, in milliseconds; each is up to 20 % shorter at random. At least 50. Default: 300
   * 000.
   */
  readonly intervalMs?: number;
  /** Whether `SIGHUP` also starts a refresh. Default: `false`. */
  readonly sighup?: boolean;
  /**
   * The only keys that change in a running application; everything else stays as it was at boot. A key includes all
   * keys below it: `database` includes `database.password`. A key that is not in the configuration is a warning in the
   * log. Default: all keys.
   */
  readonly keys?: readonly string[];
}

/** @internal */
export const REFRESH_INTERVAL_MS = 300_000;

/** @internal */
export const REFRESH_SHAPE = {
  intervalMs: (value) =>
    (positiveNumber(value) ?? (value as number) < 50) ? 'a number of milliseconds from 50' : undefined,
  sighup: typeOf('boolean'),
  keys: (value) =>
    Array.isArray(value) && value.length > 0 && value.every((key) => typeof key === 'string' && isKeyPath(key))
      ? undefined
      : 'a list of keys such as "database.password", not an empty one',
} satisfies Record<keyof VaultRefreshOptions, Shape[string]>;
