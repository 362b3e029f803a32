/** Longest delay of Node's timers in milliseconds: they fire at once when it is exceeded. @internal */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Source of time and timers; simulated in tests.
 * @internal
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970. It jumps when it is set, and goes on while the machine is suspended. */
  now(): number;
  /** Milliseconds of a clock that cannot be set; it may stand still while the machine is suspended. */
  monotonic(): number;
  /**
   * Calls back once after `delayMs` (at most `MAX_TIMER_MS`).
   *
   * @param keepAlive whether the process stays alive for it. Default: `false`
   * @returns cancels it
   */
  setTimer(delayMs: number, callback: () => void, keepAlive?: boolean): () => void;
}

/** The clock of this machine. @internal */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, callback, keepAlive = false) => {
    const timer = setTimeout(callback, Math.min(delayMs, MAX_TIMER_MS));
    if (!keepAlive) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A moment on both clocks. @internal */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

/** The present moment. @internal */
export function momentOf(clock: Clock): Moment {
  return { wall: clock.now(), monotonic: clock.monotonic() };
}

/**
 * Milliseconds since a moment, by the clock that counted more: a token ages while the machine is suspended, which only
 * the wall clock shows, and it does not become younger when the wall clock is set back.
 * @internal
 */
export function elapsedSince(moment: Moment, clock: Clock): number {
  return Math.max(clock.now() - moment.wall, clock.monotonic() - moment.monotonic, 0);
}
