import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach } from '@jest/globals';

// Jest's own limit is a timer: it does not fire while the loop is blocked, and is forgotten when the test ends first.
const LIMIT_MS = 20_000;

/** From here on, a test of this file fails that blocks the event loop for 20 s, as what is quadratic does for minutes. */
export function failWhenBlocked(limitMs = LIMIT_MS): void {
  const delays = monitorEventLoopDelay();
  beforeEach(async () => {
    delays.enable();
    delays.reset();
    while (delays.count === 0) await turn();
  });
  afterEach(async () => {
    const { count } = delays;
    while (delays.count === count) await turn();
    delays.disable();
    const longestMs = delays.max / 1e6;
    if (longestMs > limitMs) throw new Error(`The event loop was blocked for ${Math.round(longestMs / 1000)} s.`);
  });
}
