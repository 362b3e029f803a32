import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { VaultModuleOptions, VaultSource } from '../../lib/index.js';
import { VaultModule } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';
import * as fault from '../support/fault-server.js';

let server: VaultServer;
let poor: string;

beforeAll(async () => {
  server = await startVaultServer();
  await server.seed({
    'secret/my-app': { A: 1 },
    'secret/other': { B: 2 },
    'secret/deleted': { C: 3 },
    'secret/hostile': { good: 1 },
  });
  await server.request('DELETE', 'secret/data/deleted');
  await server.request('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } });
  await server.request('POST', 'old/my-app', { A: 1 });
  await server.request('POST', 'sys/mounts/keys', { type: 'transit' });
  await server.request('PUT', 'sys/policies/acl/some', {
    policy: 'path "secret/data/my-app" { capabilities = ["read"] }',
  });
  const { body } = await server.request('POST', 'auth/token/create', { policies: ['some'] });
  poor = (body as { auth: { client_token: string } }).auth.client_token;
});
afterAll(() => server.stop());

/** Boots an application with these options and closes it; resolves with its configuration. */
async function boot(options: VaultModuleOptions): Promise<ConfigService> {
  @Module({ imports: [VaultModule.forRoot(options)] })
  class AppModule {}
  const app = await bootApplication(AppModule);
  const config = app.get(ConfigService);
  await app.close();
  return config;
}

const read = (sources: VaultSource[], token = server.rootToken, more: VaultModuleOptions = {}) =>
  boot({ endpoint: server.endpoint, auth: { method: 'token', token }, config: { sources }, ...more });
const aggregate = (...messages: (string | RegExp)[]) => ({
  code: 'VAULT_CONFIGURATION',
  errors: messages.map(
    (message) => expect.objectContaining({ message: expect.stringMatching(message) as unknown }) as unknown,
  ),
});

describe('sources', () => {
  it.each<[string, VaultSource, RegExp]>([
    ['data/ typed by habit', 'data/my-app', /write secretPath "my-app"/],
    ['mount and data/ typed by habit', 'secret/data/my-app', /write secretPath "my-app"/],
    ['the mount typed by habit', 'secret/my-app', /write secretPath "my-app"/],
    [
      'a KV v1 mount read as version 2',
      { secretPath: 'my-app', mountPath: 'old', kvVersion: 2 },
      /KV version 1.*kvVersion/,
    ],
    ['a mount that does not exist', { secretPath: 'my-app', mountPath: 'nowhere' }, /no secrets engine at "nowhere"/],
    ['a mount of another type', { secretPath: 'my-app', mountPath: 'keys' }, /type "transit"/],
    ['an absent secret', 'my-ap', /bao kv put -mount=secret my-ap/],
    ['a deleted secret', 'deleted', /Undelete it/],
    ['a missing key', { secretPath: 'my-app', keys: ['A', 'Z'] }, /has no key "Z"/],
    ['a missing version', { secretPath: 'my-app', version: 9 }, /read version 9/],
  ])('%s', async (_, source, message) => {
    await expect(read([source])).rejects.toMatchObject(aggregate(message));
  });

  it.each<[string, VaultSource]>([
    ['a path with data/', 'data/my-app'],
    ['a KV v1 mount read as version 2', { secretPath: 'my-app', mountPath: 'old', kvVersion: 2 }],
    ['a mount that does not exist', { secretPath: 'my-app', mountPath: 'nowhere' }],
  ])('%s: nobody is sent to write a secret there', async (_, source) => {
    const error = (await read([source]).catch((thrown: unknown) => thrown)) as Error;
    expect(error.message).toContain('(1 problem)');
    expect(error.message).not.toContain('bao kv put');
  });

  it('a denied path: the stanza in the message is the cure', async () => {
    const error = (await read(['other'], poor).catch((thrown: unknown) => thrown)) as Error;
    const stanza = /path "secret\/data\/other" \{ capabilities = \["read"\] \}/.exec(error.message)?.[0];
    expect(stanza).toBeDefined();
    await server.request('PUT', 'sys/policies/acl/some', {
      policy: `path "secret/data/my-app" { capabilities = ["read"] }\n${stanza as string}`,
    });
    expect((await read(['other'], poor)).get('B')).toBe(2);
  });

  it.each<[VaultSource, string]>([
    ['my-ap', 'The server gives the same response when the mount or the path is misspelled.'],
    [
      { secretPath: 'my-app', mountPath: 'nowhere' },
      'The server gives the same response when the mount or the path is misspelled.',
    ],
    ['secret/data/my-app', 'More likely: "secret/data/" is added by the module: write secretPath "my-app".'],
  ])('%j, denied: the policy need not be at fault', async (source, advice) => {
    const error = (await read([source], poor).catch((thrown: unknown) => thrown)) as Error;
    expect(error.message.endsWith(`{ capabilities = ["read"] } ${advice}`)).toBe(true);
  });

  it('all failures come in one error, in its message too', async () => {
    const sources = ['my-app', 'absent-1', { secretPath: 'x', mountPath: 'nowhere' }, 'deleted'];
    const error = (await read(sources).catch((thrown: unknown) => thrown)) as Error;
    expect(error).toMatchObject({
      code: 'VAULT_CONFIGURATION',
      message: expect.stringMatching(/\(3 problems\)/) as unknown,
    });
    for (const name of ['absent-1', 'nowhere', 'deleted']) expect(error.message).toContain(name);
  });

  it('optional forgives an absent secret, and nothing else', async () => {
    const optional = (secretPath: string) => ({ secretPath, optional: true });
    expect((await read(['my-app', optional('absent')])).get('A')).toBe(1);
    await expect(read([optional('deleted')])).rejects.toMatchObject(aggregate(/was deleted/));
    await expect(read([optional('denied')], poor)).rejects.toMatchObject(aggregate(/capabilities/));
  });

  it.each(['__proto__', 'constructor', 'prototype'])(
    'a secret with a key called %s is refused, at any depth',
    async (key) => {
      for (const data of [`{"${key}":{"polluted":1}}`, `{"deep":[{"${key}":1}]}`]) {
        await server.request('POST', 'secret/data/hostile', { data: JSON.parse(data) as unknown });
        await expect(read(['hostile'])).rejects.toMatchObject(aggregate(key));
      }
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    },
  );

  it('later sources win, values keep their types, names with dots stay whole', async () => {
    await server.seed({
      'secret/first': { shared: 'first', 'dotted.key': 1, list: [1, { a: null }] },
      'secret/second': { shared: 'second' },
    });
    const config = await read([
      'first',
      'second',
      { secretPath: 'second', as: 'nested.deep' },
      { secretPath: 'my-app', as: 'nested' },
    ]);
    expect(
      ['shared', 'dotted.key', 'list', 'nested.deep.shared', 'nested.A'].map((key) => config.get<unknown>(key)),
    ).toEqual(['second', 1, [1, { a: null }], 'second', 1]);
  });
});

describe('servers', () => {
  const at = (endpoint: string, more: VaultModuleOptions = {}) =>
    boot({
      endpoint,
      auth: { method: 'token', token: 'some-token' },
      config: { sources: ['my-app'] },
      boot: { timeoutMs: 10_000 },
      ...more,
    });

  it('sealed, and not initialized', async () => {
    const sealed = await startVaultServer({ storage: 'file' });
    await sealed.seal();
    await expect(at(sealed.endpoint)).rejects.toMatchObject({
      code: 'VAULT_SEALED',
      message: expect.stringContaining('operator unseal') as unknown,
    });
    await boot({
      endpoint: sealed.endpoint,
      auth: { method: 'token', token: sealed.rootToken },
      unseal: { keys: sealed.unsealKeys },
    });
    await sealed.stop();
    const empty = await startVaultServer({ storage: 'file', initialize: false });
    await expect(at(empty.endpoint)).rejects.toMatchObject({
      code: 'VAULT_NOT_INITIALIZED',
      message: expect.stringContaining('operator init') as unknown,
    });
    await empty.stop();
  });

  it('nobody listening', async () => {
    await expect(at(`http://127.0.0.1:${await fault.freePort()}`)).rejects.toMatchObject({ code: 'VAULT_CONNECTION' });
  });

  it.each([
    ['that never answers', fault.silent(), 'VAULT_TIMEOUT'],
    ['that is a web page', fault.html(), 'VAULT_BAD_RESPONSE'],
    ['that cuts its answer short', fault.truncated(), 'VAULT_CONNECTION'],
  ])('%s', async (_, answer, code) => {
    const bad = await fault.startFaultServer(answer);
    const boot = { timeoutMs: code === 'VAULT_TIMEOUT' ? 300 : 2_000 };
    await expect(at(bad.endpoint, { boot, request: { retries: 0 } })).rejects.toMatchObject({ code });
    await bad.until(() => bad.connections === 0);
    await bad.close();
  });

  it('a credential function that never returns is left behind at the deadline', async () => {
    const token = () => new Promise<string>(() => undefined);
    await expect(
      at(server.endpoint, { auth: { method: 'token', token }, boot: { timeoutMs: 100 } }),
    ).rejects.toMatchObject({ code: 'VAULT_TIMEOUT', message: expect.stringContaining('boot.timeoutMs') as unknown });
  });

  it('with a certificate of an unknown authority; with its authority all is well', async () => {
    const secure = await startVaultServer({ tls: true });
    await expect(at(secure.endpoint)).rejects.toMatchObject({
      code: 'VAULT_TLS',
      message: expect.stringContaining('VAULT_CACERT') as unknown,
    });
    await boot({
      endpoint: secure.endpoint,
      tls: { ca: secure.ca as string },
      auth: { method: 'token', token: secure.rootToken },
    });
    await secure.stop();
  });
});

describe('afterwards', () => {
  it('the process ends by itself, after a failed boot and after a closed application', async () => {
    const program = `
      import 'reflect-metadata';
      import { NestFactory } from '@nestjs/core';
      import { VaultModule } from 'nestjs-vault';
      const boot = (path) => NestFactory.createApplicationContext(
        VaultModule.forRoot({ endpoint: process.env.ENDPOINT, auth: { method: 'token', token: process.env.TOKEN }, config: { sources: [path] } }),
        { abortOnError: false, logger: false });
      await boot('absent').then(() => process.exit(1), (error) => console.log(error.code));
      await (await boot('my-app')).close();
      console.log('closed');`;
    const env = { ...process.env, NODE_OPTIONS: '', ENDPOINT: server.endpoint, TOKEN: server.rootToken };
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
      env,
      timeout: 20_000,
    });
    expect(stdout.trim().split('\n')).toEqual(['VAULT_CONFIGURATION', 'closed']);
  }, 60_000);
});
