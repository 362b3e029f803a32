/** How delays grow from failure to failure. @internal */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** Default: 2. */
  readonly factor?: number;
  /** The least and the greatest part of a delay that is waited, evenly distributed. Default: `[1, 1]`, all of it. */
  readonly jitter?: readonly [least: number, greatest: number];
}

/**
 * Milliseconds to wait after failures: `firstMs` after the first, then `factor` times as long each, at most `maxMs`, all
 * before jitter. None without a failure.
 *
 * @param failures in a row
 * @param random from 0 to below 1
 * @internal
 */
export function backoffMs(failures: number, options: BackoffOptions, random: number = Math.random()): number {
  const { firstMs, maxMs, factor = 2, jitter = [1, 1] } = options;
  if (failures <= 0) return 0;
  const [least, greatest] = jitter;
  return Math.min(firstMs * factor ** (failures - 1), maxMs) * (least + (greatest - least) * random);
}

/** The same for a user that counts nothing itself. @internal */
export class Backoff {
  #failures = 0;
  readonly #options: BackoffOptions;
  readonly #random: () => number;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /** Counts a failure. @returns how long to wait after it */
  next(): number {
    this.#failures += 1;
    return backoffMs(this.#failures, this.#options, this.#random());
  }

  /** The next failure is the first one again. */
  reset(): void {
    this.#failures = 0;
  }
}
