import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import type { VaultEvent, VaultModuleOptions } from '../../lib/index.js';
import { VaultModule, VaultService } from '../../lib/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';

const SECRET = 'a password that no status has';

let server: VaultServer;
const open: INestApplicationContext[] = [];

beforeAll(async () => {
  server = await startVaultServer();
  await server.seed({ 'secret/app': { PASSWORD: SECRET } });
});
afterEach(() => Promise.all(open.splice(0).map((app) => app.close())));
afterAll(() => server.stop());

async function start(options: VaultModuleOptions): Promise<VaultService> {
  const app = await bootApplication({ module: class AppModule {}, imports: [VaultModule.forRoot(options)] });
  open.push(app);
  return app.get(VaultService);
}

const options = (): VaultModuleOptions => ({
  endpoint: server.endpoint,
  auth: { method: 'token', token: server.rootToken },
  config: { sources: ['app'] },
  request: { retries: 0 },
});

it('status has session, endpoints and configuration, frozen and without secrets', async () => {
  const before = new Date();
  const vault = await start(options());
  const { status } = vault;
  expect(status).toMatchObject({
    session: { state: 'active', method: 'token', policies: ['root'], accessor: expect.any(String) as unknown },
    endpoints: [{ address: server.endpoint, state: 'up', current: true }],
    configuration: { problems: [] },
  });
  const { loadedAt, checkedAt, degraded } = status.configuration;
  expect(loadedAt.getTime()).toBeGreaterThanOrEqual(before.getTime());
  expect([checkedAt, degraded]).toEqual([loadedAt, undefined]);
  const parts = [status, status.session, status.session.policies, status.endpoints, status.endpoints[0]];
  expect([...parts, status.configuration].every((part) => Object.isFrozen(part))).toBe(true);
  const text = JSON.stringify(status);
  expect([SECRET, server.rootToken].filter((secret) => text.includes(secret))).toEqual([]);
});

it('status shows the problems of the last refresh, which are events when they change', async () => {
  const vault = await start(options());
  const events: VaultEvent[] = [];
  vault.events$.subscribe((event) => events.push(event));
  const { loadedAt } = vault.status.configuration;
  await server.request('DELETE', 'secret/metadata/app');
  await vault.refresh();
  await vault.refresh();
  const problem = {
    code: 'VAULT_NOT_FOUND',
    path: 'secret/data/app',
    reason: expect.stringContaining('app') as unknown,
  };
  expect(vault.status.configuration).toMatchObject({ loadedAt, checkedAt: loadedAt, problems: [problem] });
  await server.seed({ 'secret/app': { PASSWORD: 'another' } });
  await vault.refresh();
  const { configuration } = vault.status;
  expect(configuration.problems).toEqual([]);
  expect(configuration.loadedAt).not.toEqual(loadedAt);
  expect(events.map(({ type }) => type)).toEqual(['config-problem', 'config-changed', 'config-problem']);
  expect(events[0]).toMatchObject({ codes: ['VAULT_NOT_FOUND'], problems: [problem], isPartial: false });
});

it('status shows a server that does not respond', async () => {
  const other = await startVaultServer();
  await other.seed({ 'secret/app': { PASSWORD: SECRET } });
  const vault = await start({
    ...options(),
    endpoint: other.endpoint,
    auth: { method: 'token', token: other.rootToken },
    shutdown: { timeoutMs: 100 },
  });
  await other.stop();
  await vault
    .kv()
    .read('app', { timeoutMs: 2000 })
    .catch(() => undefined);
  expect(vault.status.endpoints).toEqual([
    { address: other.endpoint, state: 'down', current: true, lastError: 'ECONNREFUSED' },
  ]);
});

it('status of a disabled module has no endpoint', async () => {
  const vault = await start({ enabled: false });
  expect(vault.status).toMatchObject({ session: { state: 'starting', method: 'disabled' }, endpoints: [] });
  expect(vault.status.configuration.checkedAt).toBeUndefined();
});
