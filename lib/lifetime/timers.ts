import type { Clock } from './clock.js';
import { systemClock } from './clock.js';

/** A suspended machine is noticed after this time at the latest, because timers count monotonic time. */
const MAX_SLEEP_MS = 60_000;
/** The wall clock is followed when it gains more than this: less is rounding and adjustment of the clock. */
const MIN_JUMP_MS = 1_000;

interface PlannedCallback {
  pending: boolean;
  readonly dueMs: number;
  readonly callback: () => void;
}

/**
 * All timers of an application on one timer of its clock, with delays of any length. They keep no process alive, and are
 * due early after a suspension or when the wall clock is set forward. Without a planned callback the clock has no timer.
 * @internal
 */
export class Timers implements Clock {
  readonly #clock: Clock;
  /** Sorted by time, the next one last. */
  readonly #planned: PlannedCallback[] = [];
  #cancelSleep: (() => void) | undefined;
  #wakeMs = Infinity;
  /** Time by which the wall clock has run ahead of the monotonic one: suspensions, and changes of the clock. */
  #skippedMs = 0;
  #offsetMs: number;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#offsetMs = clock.now() - clock.monotonic();
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  /** @param callback must not throw */
  setTimer(delayMs: number, callback: () => void): () => void {
    const dueMs = this.#agedMs() + Math.max(0, delayMs);
    const timer: PlannedCallback = { pending: true, dueMs, callback };
    this.#planned.splice(this.#indexOf(dueMs), 0, timer);
    this.#sleep();
    return () => this.#cancel(timer);
  }

  /** First index whose callback is not due after `dueMs`. */
  #indexOf(dueMs: number): number {
    let low = 0;
    let high = this.#planned.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#planned[middle] as PlannedCallback).dueMs > dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #cancel(timer: PlannedCallback): void {
    if (!timer.pending) return;
    timer.pending = false;
    this.#planned.splice(this.#planned.indexOf(timer, this.#indexOf(timer.dueMs)), 1);
    this.#sleep();
  }

  /** Monotonic time, and what it missed. */
  #agedMs(): number {
    const monotonicMs = this.#clock.monotonic();
    const offsetMs = this.#clock.now() - monotonicMs;
    const jumpMs = offsetMs - this.#offsetMs;
    if (jumpMs > MIN_JUMP_MS) this.#skippedMs += jumpMs;
    if (jumpMs > MIN_JUMP_MS || jumpMs < 0) this.#offsetMs = offsetMs;
    return monotonicMs + this.#skippedMs;
  }

  /** Sets the clock's timer for the next callback, unless it is set for that already. */
  #sleep(): void {
    const next = this.#planned.at(-1);
    const nowMs = this.#agedMs();
    const wakeMs = next ? Math.min(next.dueMs, nowMs + MAX_SLEEP_MS) : Infinity;
    // Waking too early does no harm, so that moving a timer further away costs nothing.
    if (next && this.#wakeMs <= wakeMs) return;
    this.#cancelSleep?.();
    this.#wakeMs = wakeMs;
    this.#cancelSleep = next && this.#clock.setTimer(Math.max(0, wakeMs - nowMs), () => this.#wake());
  }

  #wake(): void {
    this.#cancelSleep = undefined;
    this.#wakeMs = Infinity;
    // Node's timers fire up to a millisecond early.
    const dueMs = this.#agedMs() + 1;
    try {
      for (let next = this.#planned.at(-1); next && next.dueMs < dueMs; next = this.#planned.at(-1)) {
        this.#planned.pop();
        next.pending = false;
        next.callback();
      }
    } finally {
      this.#sleep();
    }
  }
}
