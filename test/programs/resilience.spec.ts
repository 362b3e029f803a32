import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ConfigService } from '@nestjs/config';
import { VaultModule, VaultService } from '../../lib/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';
import { forwardTo, startFaultServer } from '../support/fault-server.js';
import { loseLeaders, prepareCluster } from '../support/leader-loss.js';
import { goThroughOutages } from '../support/outages.js';
import { RaftCluster } from '../support/raft-cluster.js';
import { runOnShortTokens } from '../support/short-tokens.js';

// The same scenarios as in test/soak, which give them minutes.

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0)) await step();
});

describe('beside each other, as both wait most of the time:', () => {
  let tokens: ReturnType<typeof runOnShortTokens>;
  let journey: ReturnType<typeof goThroughOutages>;
  beforeAll(() => {
    // Renewals come early: by chance one may be due when there is hardly time for it.
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.9);
    tokens = runOnShortTokens(16, 4).finally(() => random.mockRestore());
    journey = goThroughOutages({ ttl: 2, sealed: 1, restarted: 1, blackHole: 5 });
    // Whoever awaits one is told.
    void Promise.allSettled([tokens, journey]);
  });

  it('tokens of 4 s under constant reads are renewed at their pace, and no read fails', async () => {
    const outcome = await tokens;
    expect(outcome.failures).toEqual([]);
    expect(outcome.reads).toBeGreaterThan(100);
    expect(outcome.logins).toBe(1);
    // After 2.4 to 3 s, each.
    expect(outcome.renewals).toBeGreaterThanOrEqual(4);
    expect(outcome.renewals).toBeLessThanOrEqual(8);
    expect(outcome.others).toEqual([]);
  }, 60_000);

  it('an application outlives a sealed, a restarted and a vanished server without help', async () => {
    const { before, outages, exitCode } = await journey;
    expect(before).toMatchObject({ value: 'p', state: 'active' });
    for (const { reports, states } of outages) {
      for (const { value, unhandled } of reports) expect({ value, unhandled }).toEqual({ value: 'p', unhandled: [] });
      expect(states.some((state) => state === 'recovering' || state === 'lost')).toBe(true);
    }
    // The token ended meanwhile.
    expect(outages.at(-1)?.states).toContain('lost');
    expect(outages.flatMap(({ reports }) => reports.flatMap(({ events }) => Object.keys(events)))).toEqual(
      expect.arrayContaining(['session-lost', 'session-recovered', 'login']),
    );
    expect(exitCode).toBe(0);
  }, 120_000);
});

it('a killed leader fails no read', async () => {
  const cluster = await RaftCluster.start({ patience: 3 });
  cleanUp.push(() => cluster.stop());
  await prepareCluster(cluster);
  const outcome = await loseLeaders(cluster, 1, 'killed');
  expect(outcome.failures).toEqual([]);
  expect(outcome.readsAfterMs).toHaveLength(1);
}, 240_000);

describe('50 callers at once', () => {
  it('whose token was revoked cause one login, and all get their answer', async () => {
    const server = await startVaultServer();
    cleanUp.push(() => server.stop());
    const front = await startFaultServer(forwardTo(server.endpoint));
    cleanUp.unshift(() => front.close());
    await server.seed({ 'secret/app': { PASSWORD: 'p' } });
    await server.request('PUT', 'sys/policies/acl/app', {
      policy: 'path "secret/data/app" { capabilities = ["read"] }',
    });
    await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
    await server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_policies: ['app'] });
    const app = await bootApplication(
      VaultModule.forRoot({
        endpoint: front.endpoint,
        auth: { method: 'userpass', username: 'app', password: 'pw-of-app' },
        config: { sources: ['app'] },
      }),
    );
    cleanUp.unshift(() => app.close());
    const vault = app.get(VaultService);
    const logins = (): number => front.requests.filter(({ url }) => url.endsWith('/login/app')).length;
    expect(logins()).toBe(1);
    const { accessor } = vault.session;
    await server.request('POST', 'auth/token/revoke-accessor', { accessor });

    const answers = await Promise.all(Array.from({ length: 50 }, () => vault.kv().read<{ PASSWORD: string }>('app')));
    expect(answers.every(({ data }) => data.PASSWORD === 'p')).toBe(true);
    expect(logins()).toBe(2);
    expect(vault.session.accessor).not.toBe(accessor);
    expect(app.get(ConfigService).get('PASSWORD')).toBe('p');
  });
});
