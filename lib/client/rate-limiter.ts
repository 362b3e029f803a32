/**
 * Rate limit of requests: a token bucket.
 * @publicApi
 */
export interface VaultRateLimit {
  /** Average number of requests per second; may be below 1. */
  readonly perSecond: number;
  /** Number of requests that can be sent at once after a pause. Default: `perSecond`, rounded down, at least 1. */
  readonly burst?: number;
}

/**
 * A token bucket that hands out turns in order of asking.
 * @internal
 */
export class RateLimiter {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  /** When the bucket would be full again if there were no more requests. */
  #fullAt = 0;

  constructor({ perSecond, burst = Math.max(1, Math.floor(perSecond)) }: VaultRateLimit) {
    this.#intervalMs = 1000 / perSecond;
    this.#toleranceMs = (burst - 1) * this.#intervalMs;
  }

  /**
   * Takes the next turn and returns in how many milliseconds it is: 0 for now. `undefined` when it would come only after
   * `patienceMs`; then no turn is taken.
   */
  take(patienceMs: number, now = performance.now()): number | undefined {
    const fullAt = Math.max(this.#fullAt, now);
    const waitMs = Math.max(0, fullAt - this.#toleranceMs - now);
    if (waitMs > patienceMs) return undefined;
    this.#fullAt = fullAt + this.#intervalMs;
    return waitMs;
  }

  /** Gives back a turn that was taken and not used, so that aborted calls do not delay later ones. */
  giveBack(): void {
    this.#fullAt -= this.#intervalMs;
  }
}
