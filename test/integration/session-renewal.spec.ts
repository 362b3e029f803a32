import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { VaultSession } from '../../lib/auth/session.js';
import { vaultError } from '../support/fault-server.js';
import { AuthBench } from '../support/auth-bench.js';

let bench: AuthBench;
const userpass = { method: 'userpass', username: 'app', password: 'pw-of-app' } as const;

beforeAll(async () => {
  bench = await AuthBench.start();
  await bench.server.seed({ 'secret/app': { a: 1 } });
  await bench.server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await bench.server.request('PUT', 'sys/policies/acl/app', {
    policy: 'path "secret/data/app" { capabilities = ["read"] }',
  });
});
afterEach(() => bench.reset());
afterAll(() => bench.stop());

async function user(options: object): Promise<void> {
  await bench.server.request('DELETE', 'auth/userpass/users/app');
  await bench.server.request('POST', 'auth/userpass/users/app', {
    password: 'pw-of-app',
    token_policies: ['app'],
    ...options,
  });
}

const logins = () => bench.sent('login/app').length;
const renewals = () => bench.sent('renew-self').length;

/** Reads all the time until then; every failed read counts. */
async function readUntil(session: VaultSession, over: () => boolean): Promise<unknown[]> {
  const failures: unknown[] = [];
  const client = bench.clientOf(session);
  while (!over()) {
    await client.request({ method: 'GET', path: 'secret/data/app' }).catch((error: unknown) => failures.push(error));
    await delay(10);
  }
  return failures;
}

describe('a token of 2 s', () => {
  it('is renewed again and again, and no read fails', async () => {
    await user({ token_ttl: '2s' });
    const session = await bench.open(userpass);
    const { accessor, expiresAt } = session;
    const failures = await readUntil(session, () => renewals() >= 4);
    expect(failures).toEqual([]);
    expect(logins()).toBe(1);
    expect(session.accessor).toBe(accessor);
    expect(session.policies).toEqual(['app', 'default']);
    expect(session.expiresAt?.getTime()).toBeGreaterThan((expiresAt as Date).getTime() + 2000);
    expect(['active', 'renewing']).toContain(session.state);
  });

  it('that may live 4 s in all is replaced in time', async () => {
    await user({ token_ttl: '2s', token_max_ttl: '4s' });
    const session = await bench.open(userpass);
    expect(await readUntil(session, () => logins() >= 3)).toEqual([]);
    expect(bench.events.filter(({ type }) => type === 'session-lost' || type === 'session-recovering')).toEqual([]);
  });

  it('that may not be renewed is replaced in time, and renewal asked for once', async () => {
    await user({ token_ttl: '2s', token_policies: ['app'], token_no_default_policy: true });
    const session = await bench.open(userpass);
    expect(await readUntil(session, () => logins() >= 3)).toEqual([]);
    // Once for each token.
    expect(renewals()).toBeLessThanOrEqual(logins());
  });

  it('of the batch kind is replaced in time, and never renewed', async () => {
    await user({ token_ttl: '2s', token_type: 'batch' });
    const session = await bench.open(userpass);
    expect(await readUntil(session, () => logins() >= 3)).toEqual([]);
    expect(renewals()).toBe(0);
  });

  it('that is periodic is renewed', async () => {
    await user({ token_period: '2s' });
    const session = await bench.open(userpass);
    expect(await readUntil(session, () => renewals() >= 3)).toEqual([]);
    expect(logins()).toBe(1);
  });
});

describe('a token with a number of uses', () => {
  it('is replaced before they are used up, and never renewed', async () => {
    await user({ token_num_uses: 10, token_ttl: '2s' });
    const session = await bench.open(userpass);
    expect(await readUntil(session, () => logins() >= 4)).toEqual([]);
    expect(renewals()).toBe(0);
  });

  it('of one costs a login for each call', async () => {
    await user({ token_num_uses: 1 });
    const client = bench.clientOf(await bench.open(userpass));
    for (let call = 0; call < 3; call += 1) await client.request({ method: 'GET', path: 'secret/data/app' });
    expect(logins()).toBe(3);
  });
});

describe('a token of the user', () => {
  const token = (more: object) => bench.token({ policies: ['app', 'default'], ...more });

  it('is renewed, and never revoked', async () => {
    const session = await bench.open({ method: 'token', token: await token({ ttl: '2s' }) });
    expect(await readUntil(session, () => renewals() >= 3)).toEqual([]);
    const { accessor } = session;
    await session.close();
    expect(await bench.alive(accessor)).toBe(true);
    expect(bench.sent('revoke-self')).toEqual([]);
  });

  it('is fetched again from its source near its end', async () => {
    const session = await bench.open({ method: 'token', token: () => token({ ttl: '2s', renewable: false }) });
    const first = session.accessor;
    expect(await readUntil(session, () => bench.sent('lookup-self').length >= 3)).toEqual([]);
    expect(session.accessor).not.toBe(first);
    expect(renewals()).toBe(0);
  });

  it('that never ends costs nothing', async () => {
    const session = await bench.open({ method: 'token', token: bench.server.rootToken });
    expect(session.expiresAt).toBeUndefined();
    expect(session.state).toBe('active');
  });
});

describe('a renewal that fails', () => {
  it('is tried again within the life of the token', async () => {
    await user({ token_ttl: '3s' });
    const session = await bench.open(userpass);
    let refused = 0;
    bench.intercept(async (request, response, forward) => {
      if (!request.url.endsWith('renew-self') || refused >= 2) return forward();
      refused += 1;
      await vaultError(500, ['internal error'])(request, response);
    });
    const renewed = () => bench.events.filter(({ type }) => type === 'token-renewed').length;
    expect(await readUntil(session, () => renewed() >= 2)).toEqual([]);
    expect([logins(), renewals()]).toEqual([1, 4]);
    expect(bench.events.map(({ type }) => type)).toEqual([
      'login',
      'renewal-failed',
      'session-recovering',
      'renewal-failed',
      'session-recovered',
      'token-renewed',
      'token-renewed',
    ]);
  });

  it('for good leads to a new login before the token ends', async () => {
    await user({ token_ttl: '3s' });
    const session = await bench.open(userpass);
    bench.intercept((request, response, forward) =>
      request.url.endsWith('renew-self') ? vaultError(500, ['internal error'])(request, response) : forward(),
    );
    expect(await readUntil(session, () => logins() >= 3)).toEqual([]);
    expect(session.state).not.toBe('lost');
  });
});
