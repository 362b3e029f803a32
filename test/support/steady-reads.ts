import { setTimeout as delay } from 'node:timers/promises';

const SLICE_MS = 5;

interface Success {
  readonly startedAt: number;
  readonly tookMs: number;
}

/** Reads at a constant rate, whether earlier reads have come back or not, as the requests of an application would. */
export class SteadyReads {
  /** What reads rejected with. */
  readonly failures: { readonly error: unknown; readonly tookMs: number }[] = [];
  #successes: Success[] = [];
  #longestMs = 0;
  #done = 0;
  #running = true;
  readonly #underWay = new Set<Promise<void>>();
  readonly #loop: Promise<void>;
  readonly #read: () => Promise<unknown>;

  /** @param most how many may be under way at once; those that come due meanwhile are left out */
  constructor(read: () => Promise<unknown>, perSecond: number, most = Infinity) {
    this.#read = read;
    this.#loop = this.#run(perSecond, most);
  }

  get done(): number {
    return this.#done;
  }

  /** Of all reads so far, failed ones included. */
  get longestMs(): number {
    return this.#longestMs;
  }

  /** Resolves with how long after that moment the first read ended well that was begun after it. */
  async recoveredAfter(moment: number): Promise<number> {
    // What was begun before says nothing of the time since.
    this.#successes = this.#successes.filter(({ startedAt }) => startedAt >= moment);
    for (;;) {
      const ends = this.#successes.filter(({ startedAt }) => startedAt >= moment);
      if (ends.length > 0) return Math.min(...ends.map(({ startedAt, tookMs }) => startedAt + tookMs)) - moment;
      if (!this.#running) throw new Error('Nothing is read any more.');
      await delay(SLICE_MS);
    }
  }

  /** Starts no more reads, and waits for those under way. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#loop;
    await Promise.all(this.#underWay);
  }

  async #run(perSecond: number, most: number): Promise<void> {
    const start = performance.now();
    for (let begun = 0; this.#running;) {
      const due = ((performance.now() - start) / 1000) * perSecond;
      for (; begun < due; begun += 1) {
        if (this.#underWay.size >= most) continue;
        const read = this.#once().finally(() => this.#underWay.delete(read));
        this.#underWay.add(read);
      }
      await delay(SLICE_MS);
    }
  }

  async #once(): Promise<void> {
    const startedAt = performance.now();
    try {
      await this.#read();
      this.#keep({ startedAt, tookMs: performance.now() - startedAt });
    } catch (error) {
      this.failures.push({ error, tookMs: performance.now() - startedAt });
    }
    this.#longestMs = Math.max(this.#longestMs, performance.now() - startedAt);
    this.#done += 1;
  }

  #keep(success: Success): void {
    this.#successes.push(success);
    // Only the latest matter, and a soak test runs for long.
    if (this.#successes.length > 5000) this.#successes.splice(0, 2500);
  }
}
