import { backoffMs } from './backoff.js';

/** Delays of renewals, in milliseconds. `random` is a number from 0 to below 1. */

const MIN_DELAY_MS = 100;
const RETRY_BACKOFF = { firstMs: 10_000, maxMs: 300_000 };

/**
 * When to renew what lives for `ttlMs`, or to replace it when it cannot be renewed: at two thirds of the ttl, 10 %
 * earlier or later.
 *
 * That jitter alone would keep instances that started together synchronized for dozens of periods. So the first delay
 * after an unplanned login (a boot, a recovery) lies anywhere in an interval as long as one period, 2/3 of the ttl, which
 * ends where the others end: from then on instances are spread evenly, and no renewal is later than usual.
 *
 * @param planned false after such a login
 * @internal
 */
export function renewalDelayMs(ttlMs: number, random: number, planned: boolean): number {
  const latest = (2 / 3) * 1.1;
  const width = planned ? (2 / 3) * 0.2 : 2 / 3;
  return Math.max(MIN_DELAY_MS, ttlMs * (latest - width * random));
}

/**
 * Remaining life below which a login is attempted in place of a renewal that keeps failing: a tenth of the ttl or 10 s,
 * whichever is more, and at most a fifth, which is what counts for a ttl of seconds.
 * @internal
 */
export function renewalMarginMs(ttlMs: number): number {
  return Math.min(Math.max(ttlMs / 10, 10_000), ttlMs / 5);
}

/**
 * Delay before a failed renewal is retried: 10 s, doubling up to 5 min, at most a tenth of the remaining life so that
 * there are several attempts before it ends, and a quarter more or less of all that.
 *
 * @param failures in a row, from 1
 * @internal
 */
export function renewalRetryMs(remainingMs: number, failures: number, random: number): number {
  const delayMs = Math.min(backoffMs(failures, RETRY_BACKOFF), remainingMs / 10);
  return Math.max(MIN_DELAY_MS, delayMs * (0.75 + 0.5 * random));
}
