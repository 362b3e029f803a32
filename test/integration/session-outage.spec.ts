import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { AuthBench } from '../support/auth-bench.js';

let bench: AuthBench;

beforeAll(async () => {
  bench = await AuthBench.start({ storage: 'file' });
  await bench.server.seed({ 'secret/app': { a: 1 } });
  await bench.server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await bench.server.request('PUT', 'sys/policies/acl/app', {
    policy: 'path "secret/data/app" { capabilities = ["read"] }',
  });
  await bench.server.request('POST', 'auth/userpass/users/app', {
    password: 'pw-of-app',
    token_policies: ['app'],
    token_ttl: '2s',
  });
});
afterAll(() => bench.stop());

it('a server that restarts while the token ends: the state tells, nothing is thrown, and the session recovers by itself', async () => {
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown): void => void rejections.push(reason);
  process.on('unhandledRejection', onRejection);
  const session = await bench.open({ method: 'userpass', username: 'app', password: 'pw-of-app' });
  const { accessor } = session;
  await bench.server.seal();
  while (session.state !== 'lost') await delay(20);
  await expect(
    bench.clientOf(session).request({ method: 'GET', path: 'secret/data/app', timeoutMs: 500 }),
  ).rejects.toMatchObject({ name: expect.stringMatching(/^Vault/) as unknown });
  await bench.server.restart();
  await bench.server.unseal();
  while ((session.state as string) !== 'active') await delay(20);
  expect(session.accessor).not.toBe(accessor);
  expect((await bench.clientOf(session).request({ method: 'GET', path: 'secret/data/app' })).status).toBe(200);
  const told = bench.events.map(({ type }) => type).filter((type) => type.startsWith('session-'));
  expect(told).toEqual(['session-recovering', 'session-lost', 'session-recovered']);
  process.off('unhandledRejection', onRejection);
  expect(rejections).toEqual([]);
}, 60_000);
