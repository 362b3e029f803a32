import { expect, it } from '@jest/globals';
import { runOnShortTokens } from '../support/short-tokens.js';
import { figures } from './figures.js';

const SECONDS = 120;

it('tokens of 2 s carry an application for two minutes of constant reads', async () => {
  const [renewed, replaced] = await Promise.all([
    runOnShortTokens(SECONDS),
    runOnShortTokens(SECONDS, { token_max_ttl: '6s' }),
  ]);
  for (const [title, outcome] of Object.entries({ renewed, 'replaced every 6 s': replaced })) {
    const { reads, failures, longestMs, logins, renewals } = outcome;
    figures(`tokens of 2 s, ${title}`, {
      reads,
      failed: failures.length,
      'longest read': `${Math.round(longestMs)} ms`,
      logins,
      renewals,
    });
    expect(failures.slice(0, 3)).toEqual([]);
    expect(reads).toBeGreaterThan(SECONDS * 10);
    expect(outcome.others.filter((url) => !url.endsWith('/revoke-self'))).toEqual([]);
    expect(outcome.states).not.toContain('lost');
  }
  // A renewal every 1.2 to 1.5 s.
  expect(renewed.logins).toBe(1);
  expect(renewed.renewals).toBeGreaterThan(SECONDS / 1.8);
  expect(renewed.renewals).toBeLessThan(SECONDS / 1.1);
  // At most one login for each 2 s, and at least one for each 6 s.
  expect(replaced.logins).toBeGreaterThanOrEqual(SECONDS / 6);
  expect(replaced.logins).toBeLessThan(SECONDS / 2);
  expect(replaced.renewals).toBeLessThan(SECONDS / 1.1);
});
