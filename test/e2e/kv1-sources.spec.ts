import 'reflect-metadata';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { z } from 'zod';
import type { VaultConfigOptions } from '../../lib/index.js';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';

let server: VaultServer;
let folder: string;
const open: INestApplicationContext[] = [];

beforeAll(async () => {
  server = await startVaultServer();
  folder = await mkdtemp(join(tmpdir(), 'nestjs-vault-kv1-'));
  await server.request('POST', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
});
beforeEach(() => server.request('POST', 'kv1/db', { user: 'app', password: 'one', nested: { port: 5432 } }));
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(config: VaultConfigOptions) {
  @Module({
    imports: [
      VaultModule.forRoot({
        endpoint: server.endpoint,
        auth: { method: 'token', token: server.rootToken },
        boot: { timeoutMs: 3_000 },
        config,
      }),
    ],
  })
  class AppModule {}
  const app = await bootApplication(AppModule);
  open.push(app);
  return { config: app.get(ConfigService), vault: app.get(VaultService) };
}

const source = { secretPath: 'db', mountPath: 'kv1' };
const schema = z.object({ user: z.string(), password: z.string(), nested: z.object({ port: z.number() }) });

it.each<[string, VaultConfigOptions]>([
  ['detected', { sources: [{ ...source, as: 'database' }] }],
  ['with kvVersion', { sources: [{ ...source, kvVersion: 1, as: 'database' }] }],
  ['in vaultConfig', { sources: [vaultConfig('database', { ...source, schema })] }],
])('a KV v1 source is read, explained and refreshed: %s', async (_, given) => {
  const { config, vault } = await start({ ...given, aliases: 'SCREAMING_CASE' });
  expect(config.get('database')).toEqual({ user: 'app', password: 'one', nested: { port: 5432 } });
  expect(config.get('DATABASE_NESTED_PORT')).toBe(5432);
  const origin = vault.explain('database.password');
  expect(origin).toMatchObject({ mountPath: 'kv1', secretPath: 'db', kvVersion: 1 });
  // The engine keeps no versions.
  expect(origin).not.toHaveProperty('version');

  await server.request('POST', 'kv1/db', { user: 'app', password: 'two', nested: { port: 5432 } });
  const { change, problems } = await vault.refresh();
  expect([change?.keys, problems]).toEqual([['database.password', 'DATABASE_PASSWORD'], []]);
  expect(config.get('database.password')).toBe('two');
  expect((await vault.refresh()).change).toBeUndefined();

  await server.request('DELETE', 'kv1/db');
  const gone = await vault.refresh();
  expect([gone.change, gone.problems.map(({ code }) => code)]).toEqual([undefined, ['VAULT_NOT_FOUND']]);
  expect(config.get('database.password')).toBe('two');
});

it('a KV v1 source is kept in a snapshot, and an application boots on it', async () => {
  const snapshot = { file: join(folder, 'snapshot'), key: 'a passphrase that is long enough', waitMs: 100 };
  const given = { sources: [{ ...source, as: 'database' }], snapshot };
  await start(given);
  await Promise.all(open.splice(0).map((app) => app.close()));
  await server.request('PUT', 'sys/seal');
  const { config, vault } = await start(given);
  expect(vault.degraded).toBeDefined();
  expect(config.get('database.password')).toBe('one');
  expect(vault.explain('database.password')).toMatchObject({ secretPath: 'db', kvVersion: 1 });
});
