import type { Clock } from '../../lib/lifetime/clock.js';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Time that passes when a test says so; all work that a timer starts is done before the next one fires. */
export class SimulatedClock implements Clock {
  #wall = Date.UTC(2026, 0, 1);
  #monotonic = 0;
  /** Sorted, the next one last. */
  readonly #timers: Timer[] = [];
  /** The longest that was ever asked for, in milliseconds. */
  longestTimer = 0;

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  get timers(): number {
    return this.#timers.length;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    this.longestTimer = Math.max(this.longestTimer, delayMs);
    const timer = { at: this.#monotonic + delayMs, callback };
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#timers[middle] as Timer).at > timer.at) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index >= 0) this.#timers.splice(index, 1);
    };
  }

  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settled();
    for (let next = this.#timers.at(-1); next && next.at <= end; next = this.#timers.at(-1)) {
      this.#timers.pop();
      this.#move(next.at - this.#monotonic);
      next.callback();
      await settled();
    }
    this.#move(end - this.#monotonic);
  }

  /** Somebody sets the wall clock, or the machine sleeps: no timer counts that. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  #move(ms: number): void {
    this.#monotonic += ms;
    this.#wall += ms;
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
