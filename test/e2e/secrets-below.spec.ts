import 'reflect-metadata';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { VaultConfigOptions, VaultSourceOptions } from '../../lib/index.js';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';

let server: VaultServer;
let folder: string;
const open: INestApplicationContext[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secrets-below-'));
  server = await startVaultServer();
  await server.request('POST', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
});

async function start(config: VaultConfigOptions, user?: string, endpoint = server.endpoint) {
  @Module({
    imports: [
      VaultModule.forRoot({
        endpoint,
        auth: user
          ? { method: 'userpass', username: user, password: 'pw-of-app' }
          : { method: 'token', token: server.rootToken },
        boot: { timeoutMs: 10_000 },
        config,
      }),
    ],
  })
  class AppModule {}
  const app = await bootApplication(AppModule);
  open.push(app);
  return { config: app.get(ConfigService), vault: app.get(VaultService) };
}

async function failure(config: VaultConfigOptions, user?: string): Promise<Error> {
  return start(config, user).then(
    () => {
      throw new Error('It booted.');
    },
    (error: Error) => error,
  );
}

const at = (mountPath: string, secretPath: string) =>
  mountPath === 'kv1' ? `kv1/${secretPath}` : `${mountPath}/data/${secretPath}`;

async function put(mountPath: string, secretPath: string, data: object): Promise<void> {
  await server.request('POST', at(mountPath, secretPath), mountPath === 'kv1' ? data : { data });
}

async function remove(mountPath: string, secretPath: string): Promise<void> {
  await server.request('DELETE', mountPath === 'kv1' ? `kv1/${secretPath}` : `${mountPath}/metadata/${secretPath}`);
}

async function user(name: string, policy: string): Promise<void> {
  await server.request('PUT', `sys/policies/acl/${name}`, { policy });
  await server.request('POST', `auth/userpass/users/${name}`, { password: 'pw-of-app', token_policies: [name] });
}

describe.each(['secret', 'kv1'])('a source with "below" in the mount %s', (mountPath) => {
  const below = (secretPath: string, options: Partial<VaultSourceOptions> = {}): VaultConfigOptions => ({
    sources: [{ secretPath, mountPath, below: 'all', ...options }],
  });

  beforeAll(async () => {
    await put(mountPath, 'shop', { own: 'not below' });
    await put(mountPath, 'shop/db', { password: 'hunter2', port: 5432 });
    await put(mountPath, 'shop/mail/smtp', { user: 'mailer', options: { tls: true } });
    await put(mountPath, 'shop/mail', { from: 'shop' });
  });

  it('reads every secret below the path under its name, and tells which one a value came from', async () => {
    const { config, vault } = await start(below('shop', { aliases: 'SCREAMING_CASE' }));
    expect(config.get('db')).toEqual({ password: 'hunter2', port: 5432 });
    expect(config.get('mail')).toEqual({ from: 'shop', smtp: { user: 'mailer', options: { tls: true } } });
    expect(config.get('own')).toBeUndefined();
    expect(config.get('DB_PASSWORD')).toBe('hunter2');
    expect(vault.explain('mail.smtp.user')).toMatchObject({ mountPath, secretPath: 'shop/mail/smtp' });
    expect(vault.explain('db.port')).toMatchObject(
      mountPath === 'kv1' ? { secretPath: 'shop/db', kvVersion: 1 } : { secretPath: 'shop/db', version: 1 },
    );
  });

  it('stops at the first level for "direct", and puts all of it under "as" or a namespace', async () => {
    const direct = await start(below('shop', { below: 'direct', as: 'a.b' }));
    expect(direct.config.get('a.b')).toEqual({ db: { password: 'hunter2', port: 5432 }, mail: { from: 'shop' } });
    const namespace = vaultConfig('shop', { secretPath: 'shop/mail', mountPath, below: 'all' });
    const { config } = await start({ sources: [namespace] });
    expect(config.get('shop.smtp.user')).toBe('mailer');
  });

  it('is absent when nothing is below the path, which only "optional" tolerates', async () => {
    expect((await start(below('shop/db', { optional: true }))).config.get('password')).toBeUndefined();
    expect(await failure(below('shop/db'))).toMatchObject({ errors: [{ code: 'VAULT_NOT_FOUND' }] });
    const misspelled = { ...below('shop', { optional: true, mountPath: 'secrets' }) };
    expect(await failure(misspelled)).toMatchObject({ errors: [{ code: 'VAULT_NOT_FOUND' }] });
  });

  it.each([
    ['the secret of that name', 'c1', { 'c1/a': { b: 1 }, 'c1/a/b': { x: 1 } }, ['c1/a', 'c1/a/b']],
    ['a folder of that name', 'c2', { 'c2/a': { b: { c: 1 } }, 'c2/a/b/c': { x: 1 } }, ['c2/a', 'c2/a/b/c']],
    ['a place inside by its dots', 'c3', { 'c3/a': { 'b.x': 1 }, 'c3/a/b': { x: 1 } }, ['c3/a', 'c3/a/b']],
  ])('refuses a key in the place of %s and names both', async (_, path, secrets, named) => {
    for (const [secretPath, data] of Object.entries<object>(secrets)) await put(mountPath, secretPath, data);
    const error = await failure(below(path));
    expect(error).toMatchObject({ errors: [{ code: 'VAULT_INVALID_OPTION' }] });
    for (const name of named) expect(error.message).toContain(`"${name}"`);
  });

  it.each(['__proto__', 'constructor', 'x.y', 'deep/__proto__/z'])('refuses a secret called %s', async (name) => {
    await put(mountPath, `hostile/${name}`, { polluted: true });
    const error = await failure(below('hostile'));
    expect(error).toMatchObject({ errors: [{ code: 'VAULT_INVALID_OPTION' }] });
    expect(error.message).toContain(`hostile/${name.split('/').slice(0, 2).join('/')}`);
    await remove(mountPath, `hostile/${name}`);
  });

  it('notices new, changed and removed secrets at a refresh', async () => {
    await put(mountPath, 'live/a', { v: 1 });
    await put(mountPath, 'live/b', { v: 1 });
    const { config, vault } = await start(below('live'));
    expect((await vault.refresh()).change).toBeUndefined();
    await put(mountPath, 'live/a', { v: 2 });
    await put(mountPath, 'live/c/d', { v: 1 });
    await remove(mountPath, 'live/b');
    const { change, problems } = await vault.refresh();
    expect(problems).toEqual([]);
    expect([...(change?.keys ?? [])].sort()).toEqual(['a.v', 'b.v', 'c.d.v']);
    expect(change?.removed).toEqual(['b.v']);
    expect(change?.secrets.map(({ secretPath }) => secretPath).sort()).toEqual(['live/a', 'live/b', 'live/c/d']);
    expect([config.get('a.v'), config.get('b.v'), config.get('c.d.v')]).toEqual([2, undefined, 1]);
  });

  it('keeps its values with "refresh: false", and names what it keeps', async () => {
    await put(mountPath, 'held/a', { v: 1 });
    const { config, vault } = await start(below('held', { refresh: false }));
    await put(mountPath, 'held/a', { v: 2 });
    expect((await vault.refresh()).notRefreshed).toEqual(['a.v']);
    expect(config.get('a.v')).toBe(1);
  });

  it('gives the policy that a token lacks, which is enough', async () => {
    const name = `reader-${mountPath}`;
    await user(name, `path "${at(mountPath, 'shop/db')}" { capabilities = ["read"] }`);
    const error = await failure(below('shop'), name);
    expect(error).toMatchObject({ errors: [{ code: 'VAULT_PERMISSION_DENIED' }] });
    const listed = mountPath === 'kv1' ? 'kv1/shop' : 'secret/metadata/shop';
    expect(error.message).toContain(`path "${listed}" { capabilities = ["list"] }`);
    const [, advice] = error.message.split('"below" needs: ');
    await user(name, [...(advice ?? '').matchAll(/path "[^"]+" \{ capabilities = \[[^\]]+\] \}/g)].join('\n'));
    expect((await start(below('shop'), name)).config.get('mail.smtp.user')).toBe('mailer');
  });

  it('fails with the path of a secret that is denied', async () => {
    const list = mountPath === 'kv1' ? 'kv1' : 'secret/metadata';
    await user(
      `partial-${mountPath}`,
      `path "${list}/shop/*" { capabilities = ["list"] } path "${at(mountPath, 'shop/db')}" { capabilities = ["read"] }`,
    );
    const error = await failure(below('shop', { optional: true }), `partial-${mountPath}`);
    expect(error).toMatchObject({ errors: [{ code: 'VAULT_PERMISSION_DENIED' }] });
    expect(error.message).toContain(`path "${at(mountPath, 'shop/mail')}" { capabilities = ["read"] }`);
  });

  it('refuses more secrets or folders than its limits, and names the limit', async () => {
    await put(mountPath, `deep/${Array.from({ length: 17 }, (_, index) => `f${index}`).join('/')}`, { v: 1 });
    const deep = await failure(below('deep'));
    expect(deep).toMatchObject({ errors: [{ code: 'VAULT_INVALID_OPTION' }] });
    expect(deep.message).toContain('16 levels');
    for (let start = 0; start < 1001; start += 77) {
      const names = Array.from({ length: 77 }, (_, index) => `many/s${start + index}`);
      await Promise.all(names.map((name) => put(mountPath, name, { v: 1 })));
    }
    const many = await failure(below('many'));
    expect(many).toMatchObject({ errors: [{ code: 'VAULT_INVALID_OPTION' }] });
    expect(many.message).toContain('1000 secrets');
  });

  it('starts on a snapshot, with the secret of every value', async () => {
    const own = await startVaultServer();
    try {
      if (mountPath === 'kv1') {
        await own.request('POST', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
        await own.request('POST', 'kv1/shop/db', { password: 'hunter2' });
      } else await own.seed({ 'secret/shop/db': { password: 'hunter2' } });
      const snapshot = { file: join(folder, mountPath), key: 'k'.repeat(43) };
      const options = { ...below('shop'), snapshot };
      const boot = async () => {
        @Module({
          imports: [
            VaultModule.forRoot({
              endpoint: own.endpoint,
              auth: { method: 'token', token: own.rootToken },
              config: options,
            }),
          ],
        })
        class AppModule {}
        return bootApplication(AppModule);
      };
      await (await boot()).close();
      await own.stop();
      const app = await boot();
      open.push(app);
      expect(app.get(ConfigService).get('db.password')).toBe('hunter2');
      expect(app.get(VaultService).explain('db.password')).toMatchObject({ mountPath, secretPath: 'shop/db' });
    } finally {
      await own.stop();
    }
  });
});

describe('a source with "below"', () => {
  it.each([
    ['folders', (index: number) => `folder-${index}/`],
    ['secrets', (index: number) => `secret-${index}`],
  ])('stops listing as soon as a server names too many %s', async (_, nameOf) => {
    let lists = 0;
    const names = (of: (index: number) => string) => Array.from({ length: 400 }, (_, index) => of(index));
    const double = createServer(({ url = '' }, response) => {
      response.setHeader('content-type', 'application/json');
      if (!url.startsWith('/v1/secret/metadata/')) {
        response.end(JSON.stringify({ data: { ttl: 0, renewable: false, policies: [], type: 'service' } }));
        return;
      }
      lists += 1;
      response.end(JSON.stringify({ data: { keys: names(lists === 1 ? (index) => `${index}/` : nameOf) } }));
    }).listen(0, '127.0.0.1');
    try {
      await once(double, 'listening');
      const endpoint = `http://127.0.0.1:${(double.address() as AddressInfo).port}`;
      const booted = start({ sources: [{ secretPath: 'shop', below: 'all' }] }, undefined, endpoint);
      await expect(booted).rejects.toThrow('limit of one source');
      expect(lists).toBeLessThanOrEqual(1 + 16);
    } finally {
      double.closeAllConnections();
      double.close();
    }
  });

  it.each(['version', 'keys', 'map', 'prefix', 'nest', 'files'])(
    'refuses %s, which is for one secret',
    async (name) => {
      const value = { version: 1, keys: ['a'], map: { a: 'b' }, prefix: 'A_', nest: '__', files: ['a'] }[name];
      const error = await failure({ sources: [{ secretPath: 'shop', below: 'all', [name]: value }] });
      expect(error.message).toContain(`"${name}"`);
      expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    },
  );

  it.each([true, 'deep', null, 2])('refuses %p', async (below) => {
    expect(await failure({ sources: [{ secretPath: 'shop', below: below as never }] })).toMatchObject({
      code: 'VAULT_INVALID_OPTION',
    });
  });

  it('leaves out a secret that has only metadata, and fails on one whose version is deleted', async () => {
    await put('secret', 'mixed/a', { v: 1 });
    await server.request('POST', 'secret/metadata/mixed/empty', { custom_metadata: { team: 'x' } });
    const source = { sources: [{ secretPath: 'mixed', below: 'all' as const, optional: true }] };
    expect((await start(source)).config.get('empty')).toBeUndefined();
    await put('secret', 'mixed/gone', { v: 1 });
    await server.request('DELETE', 'secret/data/mixed/gone');
    const error = await failure(source);
    expect(error).toMatchObject({ errors: [{ code: 'VAULT_DELETED_VERSION' }] });
    expect(error.message).toContain('bao kv metadata delete -mount=secret mixed/gone');
  });
});

it('a source with "below" in a Vault namespace reads there, and the policy it asks for names the namespace', async () => {
  await server.request('POST', 'sys/namespaces/org');
  const inOrg = (method: string, path: string, body?: object) => server.request(method, `org/${path}`, body);
  await inOrg('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
  await inOrg('POST', 'kv/data/shop/db', { data: { password: 'in-org' } });
  const source = { secretPath: 'shop', mountPath: 'kv', namespace: 'org', below: 'all' as const };
  expect((await start({ sources: [source] })).config.get('db.password')).toBe('in-org');
  await user('outsider', 'path "secret/data/shop/db" { capabilities = ["read"] }');
  const error = await failure({ sources: [source] }, 'outsider');
  expect(error).toMatchObject({ errors: [{ code: 'VAULT_PERMISSION_DENIED' }] });
  expect(error.message).toMatch(/"below" needs in namespace "org": path "kv\/metadata\/shop/);
});
