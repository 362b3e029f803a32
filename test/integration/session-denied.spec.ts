import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenedSession } from '../support/auth-bench.js';
import { AuthBench } from '../support/auth-bench.js';
import { vaultError } from '../support/fault-server.js';

let bench: AuthBench;
const userpass = { method: 'userpass', username: 'app', password: 'pw-of-app' } as const;

beforeAll(async () => {
  bench = await AuthBench.start();
  await bench.server.seed({ 'secret/app': { a: 1 }, 'secret/other': { a: 1 } });
  await bench.server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await bench.server.request('PUT', 'sys/policies/acl/app', {
    policy: 'path "secret/data/app" { capabilities = ["read"] }',
  });
  await bench.server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_policies: ['app'] });
});
afterEach(() => bench.reset());
afterAll(() => bench.stop());

const read = (session: OpenedSession, path = 'secret/data/app') =>
  bench.clientOf(session).request({ method: 'GET', path });
const revoke = ({ accessor }: OpenedSession) =>
  bench.server.request('POST', 'auth/token/revoke-accessor', { accessor });
const counts = () => ({
  logins: bench.sent('login/app').length,
  lookups: bench.sent('lookup-self').length,
  reads: bench.front.requests.filter(({ url }) => url.startsWith('/v1/secret/')).length,
});

describe('a denied call', () => {
  it('whose token was revoked is repeated with a new one: fifty callers, one question, one login', async () => {
    const session = await bench.open(userpass);
    await revoke(session);
    bench.front.requests.length = 0;
    const answers = await Promise.all(Array.from({ length: 50 }, () => read(session)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const { logins, lookups, reads } = counts();
    expect({ logins, lookups }).toEqual({ logins: 1, lookups: 1 });
    expect(reads).toBeLessThanOrEqual(100);
    expect(session.state).toBe('active');
    expect(bench.events.map(({ type }) => type).slice(1)).toEqual(['session-recovering', 'session-recovered', 'login']);
  });

  it('that a policy denies costs nothing more, and leaves the session alone', async () => {
    const session = await bench.open(userpass);
    for (let call = 0; call < 5; call += 1)
      await expect(read(session, 'secret/data/other')).rejects.toMatchObject({
        code: 'VAULT_PERMISSION_DENIED',
        policyDenied: true,
      });
    expect(counts()).toEqual({ logins: 1, lookups: 0, reads: 5 });
  });

  it('in words that leave it open is looked into once for all calls of some seconds', async () => {
    const session = await bench.open(userpass);
    bench.intercept((request, response, forward) =>
      request.url.startsWith('/v1/secret/') ? vaultError(403, ['permission denied'])(request, response) : forward(),
    );
    for (let call = 0; call < 5; call += 1)
      await expect(read(session)).rejects.toMatchObject({ code: 'VAULT_PERMISSION_DENIED' });
    expect(counts()).toEqual({ logins: 1, lookups: 1, reads: 5 });
  });

  it('by a server that refuses everything but logins ends, with few of these', async () => {
    const session = await bench.open(userpass);
    bench.intercept((request, response, forward) =>
      request.url.includes('/login/') ? forward() : vaultError(403, ['permission denied'])(request, response),
    );
    for (let call = 0; call < 4; call += 1)
      await expect(
        bench.clientOf(session).request({ method: 'GET', path: 'secret/data/app', timeoutMs: 500 }),
      ).rejects.toMatchObject({ name: expect.stringMatching(/^Vault/) as unknown });
    const { logins, lookups, reads } = counts();
    expect(logins).toBeLessThanOrEqual(3);
    expect(lookups).toBeLessThanOrEqual(4);
    expect(reads).toBeLessThanOrEqual(8);
  });

  it('when no login succeeds any more, tells about the login', async () => {
    const session = await bench.open(userpass);
    await revoke(session);
    bench.intercept((request, response, forward) =>
      request.url.includes('/login/')
        ? vaultError(400, ['invalid username or password'])(request, response)
        : forward(),
    );
    await expect(read(session)).rejects.toMatchObject({ code: 'VAULT_AUTHENTICATION' });
    expect(session.state).toBe('lost');
  });
});

describe('a replaced token', () => {
  it('lives on until calls under way have ended, and is revoked then', async () => {
    const session = await bench.open(userpass, { graceMs: 0 });
    const { accessor } = session;
    const handle = await session.manager.acquire({ timeLeftMs: 1000, operation: 'read' });
    await session.relogin();
    expect(await bench.alive(accessor)).toBe(true);
    handle.release(true);
    await bench.front.until(() => bench.sent('revoke-self').length === 1);
  });

  it('still in its time of grace is revoked on close, with the current one', async () => {
    const session = await bench.open(userpass);
    const accessors = [session.accessor];
    await session.relogin();
    accessors.push(session.accessor);
    expect(await bench.alive(accessors[0])).toBe(true);
    await session.close();
    for (const accessor of accessors) expect(await bench.alive(accessor)).toBe(false);
  });
});
