import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { getEventListeners } from 'node:events';
import { Backoff, backoffMs } from '../../lib/lifetime/backoff.js';
import { elapsedSince, momentOf } from '../../lib/lifetime/clock.js';
import { ABORTED, race, sleep, TIMED_OUT, Waiters } from '../../lib/lifetime/race.js';
import { Timers } from '../../lib/lifetime/timers.js';
import { SimulatedClock } from '../support/simulated-clock.js';

const DAY = 86_400_000;

describe('Timers', () => {
  type Step = { readonly set: number } | { readonly cancel: number } | { readonly advance: number };
  const steps = fc.array(
    fc.oneof(
      fc.record({ set: fc.oneof(fc.nat(500), fc.nat(400_000)) }),
      fc.record({ cancel: fc.nat(20) }),
      fc.record({ advance: fc.nat(150_000) }),
    ),
    { maxLength: 40 },
  );

  it('calls back exactly once, on time and in order, with at most one timer of the clock', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list: readonly Step[]) => {
        const clock = new SimulatedClock();
        const timers = new Timers(clock);
        const fired: number[] = [];
        const made: { readonly due: number; readonly cancel: () => void; canceled: boolean; fired: boolean }[] = [];
        for (const step of list) {
          if ('set' in step) {
            const due = clock.monotonic() + step.set;
            const cancel = timers.setTimer(step.set, () => {
              entry.fired = true;
              fired.push(due);
              expect(clock.monotonic()).toBe(due);
            });
            const entry = { due, cancel, canceled: false, fired: false };
            made.push(entry);
          } else if ('cancel' in step) {
            const entry = made[step.cancel];
            if (entry && !entry.fired) entry.canceled = true;
            entry?.cancel();
          } else {
            await clock.advance(step.advance);
          }
          const pending = made.filter(({ canceled, fired: done }) => !canceled && !done);
          expect(clock.timers).toBe(pending.length > 0 ? 1 : 0);
          expect(made.some(({ canceled, fired: done }) => canceled && done)).toBe(false);
          expect(pending.every(({ due }) => due >= clock.monotonic())).toBe(true);
        }
        expect(fired).toEqual([...fired].sort((one, other) => one - other));
        expect(clock.longestTimer).toBeLessThanOrEqual(60_000);
      }),
    );
  });

  it('calls back after delays longer than a timer of Node can be', async () => {
    const clock = new SimulatedClock();
    let fired = false;
    new Timers(clock).setTimer(40 * DAY, () => (fired = true));
    await clock.advance(40 * DAY - 1);
    expect(fired).toBe(false);
    await clock.advance(1);
    expect(fired).toBe(true);
  });

  it('notices a suspension within a minute, for every callback that is due by then', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(DAY), fc.array(fc.nat(2 * DAY), { minLength: 1 }), async (suspendedMs, delays) => {
        const clock = new SimulatedClock();
        const timers = new Timers(clock);
        const fired = new Set<number>();
        delays.forEach((delay, index) => timers.setTimer(delay, () => fired.add(index)));
        clock.jump(suspendedMs);
        await clock.advance(60_000);
        delays.forEach((delay, index) => {
          // A jump of less than a second is a correction of the clock.
          if (delay <= suspendedMs && suspendedMs > 1_000) expect(fired).toContain(index);
          if (delay > suspendedMs + 60_000) expect(fired).not.toContain(index);
        });
      }),
    );
  });

  it('is not late when the wall clock is set back, nor early when it ticks coarsely', async () => {
    const clock = new SimulatedClock();
    const timers = new Timers(clock);
    let firedAt: number | undefined;
    timers.setTimer(DAY, () => (firedAt = clock.monotonic()));
    for (let turn = 0; turn < 200; turn += 1) {
      clock.jump(turn % 2 === 0 ? 0.9 : -0.9);
      timers.setTimer(1, () => undefined);
      await clock.advance(0.3);
    }
    clock.jump(-10 * DAY);
    await clock.advance(DAY);
    expect(firedAt).toBe(DAY);
  });

  it('sets the next timer when a callback throws', async () => {
    const clock = new SimulatedClock();
    const timers = new Timers(clock);
    let fired = false;
    timers.setTimer(1, () => {
      throw new Error('a callback failed');
    });
    timers.setTimer(2, () => (fired = true));
    await expect(clock.advance(1)).rejects.toThrow('a callback failed');
    await clock.advance(1);
    expect(fired).toBe(true);
  });
});

it('elapsed time is the larger of both clocks, and never negative', () => {
  fc.assert(
    fc.property(fc.nat(DAY), fc.integer({ min: -DAY, max: DAY }), (passed, jump) => {
      let wall = 1_000;
      let monotonic = 0;
      const clock = { now: () => wall, monotonic: () => monotonic, setTimer: () => () => undefined };
      const moment = momentOf(clock);
      wall += passed + jump;
      monotonic += passed;
      expect(elapsedSince(moment, clock)).toBe(Math.max(passed, passed + jump));
    }),
  );
});

describe('backoff', () => {
  const options = fc.record({
    firstMs: fc.integer({ min: 1, max: 10_000 }),
    maxMs: fc.integer({ min: 10_000, max: 1_000_000 }),
    factor: fc.double({ min: 1, max: 8, noNaN: true }),
  });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  it('grows from firstMs to maxMs, and stays within its jitter', () => {
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 5_000 }), random, (given, failures, chance) => {
        const plain = backoffMs(failures, given);
        expect(backoffMs(0, given)).toBe(0);
        expect(backoffMs(1, given)).toBe(given.firstMs);
        expect(backoffMs(failures + 1, given)).toBeGreaterThanOrEqual(plain);
        expect(plain).toBeLessThanOrEqual(given.maxMs);
        const jittered = backoffMs(failures, { ...given, jitter: [0.75, 1.25] }, chance);
        expect(jittered).toBeGreaterThanOrEqual(plain * 0.75);
        expect(jittered).toBeLessThanOrEqual(plain * 1.25);
      }),
    );
  });

  it('starts again after a reset', () => {
    const backoff = new Backoff({ firstMs: 250, maxMs: 1_000, factor: 4 });
    expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([250, 1_000, 1_000]);
    backoff.reset();
    expect(backoff.next()).toBe(250);
  });
});

describe('race', () => {
  const never = new Promise<never>(() => undefined);

  it.each<[string, () => Promise<unknown>, unknown]>([
    ['the work resolves', () => Promise.resolve('done'), 'done'],
    ['the time is over', () => never, TIMED_OUT],
  ])('leaves no timer and no listener when %s', async (_, work, expected) => {
    const clock = new SimulatedClock();
    const { signal } = new AbortController();
    const outcome = race(work(), { timeoutMs: 1_000, signal, clock });
    await clock.advance(1_000);
    expect(await outcome).toBe(expected);
    expect(clock.timers).toBe(0);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('leaves no timer and no listener when the work rejects', async () => {
    const clock = new SimulatedClock();
    const { signal } = new AbortController();
    const failure = new Error('failed');
    await expect(race(Promise.reject(failure), { timeoutMs: 1_000, signal, clock })).rejects.toBe(failure);
    expect(clock.timers).toBe(0);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it.each([true, false])(
    'ends with the signal, and ignores what the work does later (already aborted: %s)',
    async (early) => {
      const clock = new SimulatedClock();
      const controller = new AbortController();
      if (early) controller.abort();
      let fail!: (error: Error) => void;
      const work = new Promise<never>((_, reject) => (fail = reject));
      const outcome = race(work, { timeoutMs: 1_000, signal: controller.signal, clock });
      controller.abort();
      expect(await outcome).toBe(ABORTED);
      expect(clock.timers).toBe(0);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
      fail(new Error('too late'));
    },
  );
});

describe('sleep', () => {
  it.each(['ms', 'wake', 'signal', 'close'])('ends with %s, and leaves nothing', async (end) => {
    const clock = new SimulatedClock();
    const controller = new AbortController();
    const waiters = new Waiters();
    let wake!: () => void;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    let asleep = true;
    void waiters.sleep(1_000, { wake: woken, signal: controller.signal, clock }).then(() => (asleep = false));
    await clock.advance(999);
    expect(asleep).toBe(true);
    if (end === 'ms') await clock.advance(1);
    if (end === 'wake') wake();
    if (end === 'signal') controller.abort();
    if (end === 'close') waiters.close();
    await clock.advance(0);
    expect(asleep).toBe(false);
    expect(clock.timers).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(waiters.closed).toBe(end === 'close');
  });

  it('does not begin after close, nor without a delay', async () => {
    const clock = new SimulatedClock();
    const waiters = new Waiters();
    waiters.close();
    await waiters.sleep(1_000, { clock });
    await sleep(0, { clock });
    expect(clock.timers).toBe(0);
  });
});
