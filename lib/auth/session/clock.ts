/**
 * Time as the session sees it; simulated in tests.
 * @internal
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970. It jumps when somebody sets it, and goes on while the machine sleeps. */
  now(): number;
  /** Milliseconds of a clock nobody can set; it may stand still while the machine sleeps. */
  monotonic(): number;
  /** Calls back once, after that many milliseconds, and keeps no process alive for it. @returns cancels */
  setTimer(delayMs: number, callback: () => void): () => void;
}

/** The machine's own. @internal */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

/** A moment on both clocks. @internal */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

/** This moment. @internal */
export function momentOf(clock: Clock): Moment {
  return { wall: clock.now(), monotonic: clock.monotonic() };
}

/**
 * Milliseconds since a moment, by the clock that counted more: a token has aged while the machine slept, which only the
 * wall clock tells, and it has not become younger because somebody set the wall clock back.
 * @internal
 */
export function since(moment: Moment, clock: Clock): number {
  return Math.max(clock.now() - moment.wall, clock.monotonic() - moment.monotonic, 0);
}

/** Timers count monotonic time, so a machine that slept is noticed this much later at most. */
const LONGEST_SLEEP_MS = 60_000;

/**
 * One callback at a time, however far away: Node's timers fire at once beyond 2^31 ms. The clocks are looked at after
 * every sleep.
 * @internal
 */
export class Alarm {
  #cancel: (() => void) | undefined;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get pending(): boolean {
    return this.#cancel !== undefined;
  }

  /** Replaces what was set before. */
  set(delayMs: number, callback: () => void): void {
    this.cancel();
    const start = momentOf(this.#clock);
    const sleep = (remainingMs: number): void => {
      this.#cancel = this.#clock.setTimer(Math.min(remainingMs, LONGEST_SLEEP_MS), () => {
        this.#cancel = undefined;
        const left = delayMs - since(start, this.#clock);
        // Less than a millisecond is what timers round off.
        if (left >= 1) sleep(left);
        else callback();
      });
    };
    sleep(delayMs);
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
