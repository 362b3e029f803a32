import { expect, it } from '@jest/globals';
import { runOnShortTokens } from '../support/short-tokens.js';
import { figures } from './figures.js';

const SECONDS = 120;
const TTL = 2;

it(`tokens of ${TTL} s carry an application for two minutes of constant reads`, async () => {
  const [renewed, replaced] = await Promise.all([
    runOnShortTokens(SECONDS, TTL),
    runOnShortTokens(SECONDS, TTL, { token_max_ttl: `${3 * TTL}s` }),
  ]);
  for (const [title, outcome] of Object.entries({ renewed, 'replaced after three lives': replaced })) {
    const { reads, failures, longestMs, logins, renewals } = outcome;
    figures(`tokens of ${TTL} s, ${title}`, {
      reads,
      failed: failures.length,
      'longest read': `${Math.round(longestMs)} ms`,
      logins,
      renewals,
    });
    expect(failures.slice(0, 3)).toEqual([]);
    expect(reads).toBeGreaterThan(SECONDS);
    expect(outcome.others.filter((url) => !url.endsWith('/revoke-self'))).toEqual([]);
    expect(outcome.states).not.toContain('lost');
  }
  // A renewal after 0.6 to 0.73 of each life; where the machine stands still for the rest of one, a login in its place.
  const kept = renewed.renewals + renewed.logins;
  expect(kept).toBeGreaterThan(SECONDS / (0.9 * TTL));
  expect(kept).toBeLessThan(SECONDS / (0.55 * TTL));
  expect(renewed.logins).toBeLessThanOrEqual(SECONDS / (10 * TTL));
  // At most one login for each life, and at least one for each three.
  expect(replaced.logins).toBeGreaterThanOrEqual(SECONDS / (3 * TTL));
  expect(replaced.logins).toBeLessThan(SECONDS / TTL);
  expect(replaced.renewals).toBeLessThan(SECONDS / (0.55 * TTL));
});
