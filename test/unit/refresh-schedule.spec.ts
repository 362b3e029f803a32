import { afterEach, expect, it, jest } from '@jest/globals';
import type { ConfigurationStore } from '../../lib/config/configuration-store.js';
import { ConfigurationRefresher } from '../../lib/config/refresh/refresher.js';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

it('after failures, a long interval does not become one that a timer cannot hold, which would fire at once', async () => {
  jest.useFakeTimers();
  jest.spyOn(Math, 'random').mockReturnValue(0);
  const read = jest.fn(() => Promise.reject(new Error('away')));
  const store = { loader: { read } } as unknown as ConfigurationStore;
  const refresher = new ConfigurationRefresher(store, { intervalMs: LONGEST_TIMER_MS }, () => undefined);
  refresher.start();
  await jest.advanceTimersByTimeAsync(LONGEST_TIMER_MS);
  expect(read).toHaveBeenCalledTimes(1);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(read).toHaveBeenCalledTimes(1);
  await jest.advanceTimersByTimeAsync(LONGEST_TIMER_MS);
  expect(read).toHaveBeenCalledTimes(2);
  refresher.close();
});
