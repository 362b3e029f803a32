import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { renewalDelayMs, renewalMarginMs, renewalRetryMs } from '../../lib/lifetime/renewal.js';

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
    expect(renewalDelayMs(ttlMs, random, planned) / ttlMs).toBeCloseTo(share, 3);
  });

  it('is never at once', () => {
    expect(renewalDelayMs(0.001, 1, false)).toBeGreaterThanOrEqual(100);
  });
});

it.each([
  [2_000, 400],
  [30_000, 6_000],
  [60_000, 10_000],
  [HOUR, HOUR / 10],
])('a life of %d ms must not fall below %d ms', (ttlMs, expected) => {
  expect(renewalMarginMs(ttlMs)).toBe(expected);
});

it.each([
  [HOUR, 1, 10_000],
  [HOUR, 2, 20_000],
  [100 * HOUR, 50, 300_000],
  [60_000, 1, 6_000],
  [700, 1, 100],
  [0, 1, 100],
])('a renewal with %d ms left that failed %d time(s) is tried again after about %d ms', (left, failures, expected) => {
  expect(renewalRetryMs(left, failures, 0.5)).toBe(expected);
  expect(renewalRetryMs(left, failures, 0)).toBeGreaterThanOrEqual(Math.max(100, expected * 0.74));
  expect(renewalRetryMs(left, failures, 1)).toBeLessThanOrEqual(Math.max(100, expected * 1.26));
});

it('a renewal is planned within the life of the token, and retried within a tenth of what remains', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 2_000, max: 1_000 * HOUR }), random, fc.boolean(), (ttlMs, chance, planned) => {
      const delayMs = renewalDelayMs(ttlMs, chance, planned);
      expect(delayMs).toBeGreaterThanOrEqual(planned ? 0.59 * ttlMs : 0.06 * ttlMs);
      expect(delayMs).toBeLessThan(0.74 * ttlMs);
      expect(renewalMarginMs(ttlMs)).toBeLessThanOrEqual(ttlMs - 0.74 * ttlMs);
    }),
  );
  fc.assert(
    fc.property(fc.nat(1_000 * HOUR), fc.integer({ min: 1, max: 2_000 }), random, (leftMs, failures, chance) => {
      const delayMs = renewalRetryMs(leftMs, failures, chance);
      expect(delayMs).toBeGreaterThanOrEqual(100);
      expect(delayMs).toBeLessThanOrEqual(Math.max(100, Math.min(375_000, 0.125 * leftMs)));
    }),
  );
});
