/** Lifetime arithmetic: milliseconds in, milliseconds out. `random` is a number from 0 to below 1. */

const LEAST_DELAY_MS = 100;
const RETRY_MS = 10_000;
const LONGEST_BACKOFF_MS = 300_000;
const SHORTEST_BACKOFF_MS = 1_000;

/**
 * When to renew a token, or to replace one that cannot be renewed: at two thirds of its ttl, 10 % earlier or later.
 *
 * That jitter alone leaves instances that started together together for dozens of periods. So the first wait after a
 * login nobody had planned (a boot, a recovery) lies anywhere in an interval as long as one period, 2/3 of the ttl, which
 * ends where the others end: instances are spread evenly from then on, and nobody renews later than usual.
 * @internal
 */
export function refreshAfterMs(ttlMs: number, random: number, planned: boolean): number {
  const latest = (2 / 3) * 1.1;
  const width = planned ? (2 / 3) * 0.2 : 2 / 3;
  return Math.max(LEAST_DELAY_MS, ttlMs * (latest - width * random));
}

/**
 * How much of a token's life must be left: below that a renewal that has failed so far is given up for a new login.
 * A tenth, or 10 s, but never more than a fifth, which is what counts for a ttl of seconds.
 * @internal
 */
export function marginMs(ttlMs: number): number {
  return Math.min(Math.max(ttlMs / 10, 10_000), ttlMs / 5);
}

/**
 * The wait before a renewal is tried again: 10 s, doubling up to 5 min, and never more than a tenth of what remains of
 * the token, so that a short one is tried several times before it ends.
 *
 * @param failures how often it has failed in a row, from 1
 * @internal
 */
export function retryAfterMs(remainingMs: number, failures: number, random: number): number {
  const wait = Math.min(RETRY_MS * 2 ** Math.min(failures - 1, 10), LONGEST_BACKOFF_MS, remainingMs / 10);
  return Math.max(LEAST_DELAY_MS, wait * (0.75 + 0.5 * random));
}

/**
 * The wait before the next login nobody asked for: 1 s first, then twice the last one, at most 5 min, less up to a
 * quarter of it.
 * @internal
 */
export function nextBackoffMs(previousMs: number | undefined, random: number): number {
  if (previousMs === undefined) return SHORTEST_BACKOFF_MS;
  const doubled = Math.min(previousMs * 2, LONGEST_BACKOFF_MS);
  return doubled - (doubled / 4) * random;
}

/**
 * How long callers are kept from starting a login after some that led nowhere: 1 s, doubling up to `longestMs`.
 *
 * @param strikes logins in a row that failed, or whose token the server did not take
 * @internal
 */
export function gapMs(strikes: number, longestMs: number): number {
  return strikes <= 0 ? 0 : Math.min(SHORTEST_BACKOFF_MS * 2 ** Math.min(strikes - 1, 10), longestMs);
}
