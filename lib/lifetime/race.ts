import type { Clock } from './clock.js';
import { systemClock } from './clock.js';

/** The time of a race was over first. @internal */
export const TIMED_OUT: unique symbol = Symbol('timed out');
/** The signal of a race fired first. @internal */
export const ABORTED: unique symbol = Symbol('aborted');

/** What ends a race besides the work. @internal */
export interface RaceOptions {
  /** Default: no limit. */
  readonly timeoutMs?: number | undefined;
  /** One that has fired already wins. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /** Whether the process stays alive for the timeout. Default: `true` */
  readonly keepAlive?: boolean | undefined;
}

/**
 * Settles as the work does, unless the time is over or the signal fires first. The work goes on then, and its rejection
 * is ignored. Neither a timer nor a listener outlives the race.
 * @internal
 */
export function race<T>(
  work: T | Promise<T>,
  options: RaceOptions & { readonly signal?: undefined },
): Promise<T | typeof TIMED_OUT>;
export function race<T>(work: T | Promise<T>, options: RaceOptions): Promise<T | typeof TIMED_OUT | typeof ABORTED>;
export function race<T>(
  work: T | Promise<T>,
  { timeoutMs = Infinity, signal, clock = systemClock, keepAlive = true }: RaceOptions,
): Promise<T | typeof TIMED_OUT | typeof ABORTED> {
  return new Promise((resolve, reject) => {
    let cancelTimer: (() => void) | undefined;
    const ending =
      <V>(settle: (value: V) => void) =>
      (value: V): void => {
        cancelTimer?.();
        signal?.removeEventListener('abort', onAbort);
        settle(value);
      };
    const onTimeout = ending(() => resolve(TIMED_OUT));
    const onAbort = ending(() => resolve(ABORTED));
    if (timeoutMs !== Infinity) cancelTimer = clock.setTimer(timeoutMs, () => onTimeout(undefined), keepAlive);
    if (signal?.aborted) onAbort(undefined);
    else signal?.addEventListener('abort', onAbort, { once: true });
    Promise.resolve(work).then(ending(resolve), ending(reject));
  });
}

/** What ends a sleep early. @internal */
export interface SleepOptions extends Omit<RaceOptions, 'timeoutMs'> {
  /** Must not reject. */
  readonly wake?: Promise<unknown> | undefined;
}

/**
 * Resolves after `ms`, or earlier when `wake` settles or `signal` fires: callers must look at their state again. Never
 * rejects.
 * @internal
 */
export async function sleep(ms: number, { wake, ...options }: SleepOptions = {}): Promise<void> {
  if (ms > 0) await race<unknown>(wake ?? new Promise(() => undefined), { ...options, timeoutMs: ms });
}

/**
 * Sleeps of one owner, who can end them all.
 * @internal
 */
export class Waiters {
  readonly #wakes = new Set<() => void>();
  #closed = false;

  /** True after `close`. */
  get closed(): boolean {
    return this.#closed;
  }

  /** As `sleep`, and ends with `close`. */
  async sleep(ms: number, options: SleepOptions = {}): Promise<void> {
    if (this.#closed) return;
    let wake!: () => void;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    this.#wakes.add(wake);
    void options.wake?.then(wake);
    try {
      await sleep(ms, { ...options, wake: woken });
    } finally {
      this.#wakes.delete(wake);
    }
  }

  /** Ends every sleep at once, and those to come. */
  close(): void {
    this.#closed = true;
    for (const wake of this.#wakes) wake();
  }
}
