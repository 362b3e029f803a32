import { describe, expect, it } from '@jest/globals';
import {
  gapMs,
  marginMs,
  nextBackoffMs,
  refreshAfterMs,
  retryAfterMs,
} from '../../lib/auth/session/renewal-schedule.js';

const HOUR = 3_600_000;

describe('the moment to renew', () => {
  it.each([
    [HOUR, 0, true, 0.7333],
    [HOUR, 0.5, true, 0.6667],
    [HOUR, 1, true, 0.6],
    [HOUR, 0, false, 0.7333],
    [HOUR, 0.5, false, 0.4],
    [HOUR, 1, false, 0.0667],
    [768 * HOUR, 0.5, true, 0.6667],
    [2_000, 1, false, 0.0667],
  ])('of a life of %d ms, random %d, planned %s, is at %d of it', (ttlMs, random, planned, share) => {
    expect(refreshAfterMs(ttlMs, random, planned) / ttlMs).toBeCloseTo(share, 3);
  });

  it('is never at once', () => {
    expect(refreshAfterMs(0.001, 1, false)).toBeGreaterThanOrEqual(100);
  });
});

it.each([
  [2_000, 400],
  [30_000, 6_000],
  [60_000, 10_000],
  [HOUR, HOUR / 10],
])('a life of %d ms must not fall below %d ms', (ttlMs, expected) => {
  expect(marginMs(ttlMs)).toBe(expected);
});

it.each([
  [HOUR, 1, 10_000],
  [HOUR, 2, 20_000],
  [100 * HOUR, 50, 300_000],
  [60_000, 1, 6_000],
  [700, 1, 100],
  [0, 1, 100],
])('a renewal with %d ms left that failed %d time(s) is tried again after about %d ms', (left, failures, expected) => {
  expect(retryAfterMs(left, failures, 0.5)).toBe(expected);
  expect(retryAfterMs(left, failures, 0)).toBeGreaterThanOrEqual(Math.max(100, expected * 0.74));
  expect(retryAfterMs(left, failures, 1)).toBeLessThanOrEqual(Math.max(100, expected * 1.26));
});

it('logins back off from one second to five minutes', () => {
  const waits: number[] = [];
  for (let turn = 0; turn < 14; turn += 1) waits.push(nextBackoffMs(waits.at(-1), 0.5));
  expect(waits.slice(0, 4)).toEqual([1000, 1750, 3062.5, 5359.375]);
  expect(waits.at(-1)).toBe(262_500);
  expect(nextBackoffMs(300_000, 0)).toBe(300_000);
});

it.each([
  [0, 0],
  [1, 1000],
  [3, 4000],
  [20, 30_000],
])('after %d logins in vain callers start none for %d ms', (strikes, expected) => {
  expect(gapMs(strikes, 30_000)).toBe(expected);
});
