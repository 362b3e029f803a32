import { isVaultError, VaultConfigurationError } from '../errors/index.js';
import { Backoff } from '../lifetime/backoff.js';
import type { Clock } from '../lifetime/clock.js';
import { Timers } from '../lifetime/timers.js';

/** Instances that booted together do not come back together. */
const ATTEMPT_BACKOFF = { firstMs: 1_000, maxMs: 15_000, factor: 1.5, jitter: [0.75, 1.25] } as const;

/**
 * Tries to reach Vault until that succeeds once, after a start on a snapshot. Its timer keeps no process alive.
 * @internal
 */
export class SnapshotRecovery {
  readonly #attempt: (signal: AbortSignal) => Promise<void>;
  readonly #warn: (message: string) => void;
  readonly #closing = new AbortController();
  readonly #backoff = new Backoff(ATTEMPT_BACKOFF);
  readonly #clock: Clock;
  #cancelTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #lastCause: string | undefined;

  /**
   * @param attempt logs in, reads everything and changes over to it
   * @param warn called with why an attempt has failed, once for each cause
   */
  constructor(
    attempt: (signal: AbortSignal) => Promise<void>,
    warn: (message: string) => void,
    clock: Clock = new Timers(),
  ) {
    this.#attempt = attempt;
    this.#warn = warn;
    this.#clock = clock;
    this.#schedule();
  }

  /** Aborts the attempt under way, and waits for it. */
  async close(): Promise<void> {
    this.#cancelTimer?.();
    this.#closing.abort();
    await this.#running;
  }

  #schedule(): void {
    this.#cancelTimer = this.#clock.setTimer(this.#backoff.next(), () => {
      this.#running = this.#run();
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    try {
      await this.#attempt(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#report(error);
      this.#schedule();
    }
  }

  #report(error: unknown): void {
    const cause = causeOf(error);
    if (cause === this.#lastCause) return;
    this.#lastCause = cause;
    const reason = isVaultError(error) ? error.message : 'an unexpected error.';
    this.#warn(`Still running on the snapshot: ${reason}`);
  }
}

/** Why an attempt failed, without what differs at every attempt. */
function causeOf(error: unknown): string {
  if (error instanceof VaultConfigurationError) return error.errors.map(causeOf).join();
  return isVaultError(error) ? `${error.code} ${error.path ?? ''}` : 'unknown';
}
