import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import fc from 'fast-check';
import type { VaultConfigOptions } from '../../lib/index.js';
import { isVaultError, loadVaultConfig, VaultConfigurationError, VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';
import { renderError } from '../support/render-error.js';

const BIG = '1234567890123456789';

let server: VaultServer;
let app: INestApplicationContext | undefined;

beforeAll(async () => {
  server = await startVaultServer();
  await server.request('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } });
  await put('secret/data/ids', `{"data":{"ACCOUNT":${BIG},"CHAT":{"list":[1,-1001234567890123456]},"NAME":"app"}}`);
  await put('secret/data/app', '{"data":{"PORT":5432,"RATIO":0.1,"TEXT":"12345678901234567890"}}');
  await put('secret/data/chain', '{"data":{"URL":"https://x/${vault:secret/data/ids#ACCOUNT}"}}');
  await put('secret/data/without-data', '{"data":null}');
  await put('old/ids', `{"ACCOUNT":${BIG}}`);
});
afterEach(async () => {
  await app?.close();
  app = undefined;
});
afterAll(() => server.stop());

/** Writes JSON that JavaScript could not write. */
async function put(path: string, json: string): Promise<void> {
  if (!(await isTaken(path, json))) throw new Error(`The test server did not take ${path}`);
}

/** OpenBao itself refuses some numbers beyond the range of a double. */
async function isTaken(path: string, json: string): Promise<boolean> {
  const headers = { 'x-vault-token': server.rootToken };
  return (await fetch(`${server.endpoint}/v1/${path}`, { method: 'POST', headers, body: json })).ok;
}

const connection = () => ({
  endpoint: server.endpoint,
  auth: { method: 'token' as const, token: server.rootToken },
});

function load(config: VaultConfigOptions): Promise<unknown> {
  return loadVaultConfig({ ...connection(), config });
}

function boot(config: VaultConfigOptions = { sources: ['app'] }): Promise<INestApplicationContext> {
  class AppModule {}
  Module({
    imports: [
      ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
      VaultModule.forRoot({ ...connection(), config }),
    ],
  })(AppModule);
  return bootApplication(AppModule);
}

async function failureOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    (value) => {
      throw new Error(`resolved with ${JSON.stringify(value)}`);
    },
    (error: unknown) => error as Error,
  );
}

describe('a number that JavaScript would round stops the load and names secret and key', () => {
  it.each<[string, VaultConfigOptions]>([
    ['in a source', { sources: ['ids'] }],
    ['in an optional source', { sources: [{ secretPath: 'ids', optional: true }] }],
    ['in a key that the source leaves out', { sources: [{ secretPath: 'ids', keys: ['NAME'] }] }],
    ['in a layout', { layout: { application: 'ids' } }],
    ['as a whole reference', { load: [() => ({ ID: 'vault:secret/data/ids#ACCOUNT' })] }],
    ['as a reference with a default', { load: [() => ({ ID: 'vault:secret/data/ids#ACCOUNT?0' })] }],
    ['inside a longer text', { load: [() => ({ URL: 'https://x/${vault:secret/data/ids#ACCOUNT}' })] }],
    ['behind a reference in a secret', { sources: ['chain'], references: { inSecrets: true } }],
  ])('%s', async (_, config) => {
    const error = await failureOf(load(config));
    expect(error).toBeInstanceOf(VaultConfigurationError);
    const [cause] = (error as VaultConfigurationError).errors;
    expect(cause).toMatchObject({ code: 'VAULT_BAD_RESPONSE', reason: 'inexact-number' });
    expect(cause?.message).toContain('"ids"');
    expect(cause?.message).toContain('"ACCOUNT"');
    expect(cause?.message).toContain('"CHAT.list.1"');
    expect(renderError(error)).not.toMatch(/1234567890|10012345/);
  });

  it('through VaultService, for both versions of KV and any path', async () => {
    app = await boot();
    const vault = app.get(VaultService);
    const reads = [
      () => vault.kv().read('ids'),
      () => vault.kv().readVersion('ids', 1),
      () => vault.kv1('old').read('ids'),
      () => vault.read('old/ids'),
      () => vault.read('secret/data/ids'),
    ];
    for (const read of reads) {
      const error = await failureOf(read());
      expect(error).toMatchObject({ code: 'VAULT_BAD_RESPONSE', reason: 'inexact-number' });
      expect(error.message).toContain('ACCOUNT"');
    }
  });

  it('before a rollback would write the rounded number over the right one', async () => {
    await put('secret/data/history', `{"data":{"ID":${BIG}}}`);
    await put('secret/data/history', '{"data":{"ID":"text"}}');
    app = await boot();
    const kv = app.get(VaultService).kv();
    await expect(kv.rollback('history', 1)).rejects.toMatchObject({ reason: 'inexact-number' });
    expect((await kv.read('history')).data).toEqual({ ID: 'text' });
  });

  it('at a refresh, which keeps the last good value', async () => {
    await put('secret/data/turning', '{"data":{"ID":7}}');
    app = await boot({ sources: ['turning'] });
    await put('secret/data/turning', `{"data":{"ID":${BIG}}}`);
    const { problems } = await app.get(VaultService).refresh();
    expect(problems.join()).toContain('"ID"');
    expect(app.get(ConfigService).get('ID')).toBe(7);
  });
});

it('numbers that JavaScript holds arrive as they are, and long ones in texts too', async () => {
  expect(await load({ sources: ['app'] })).toEqual({ PORT: 5432, RATIO: 0.1, TEXT: '12345678901234567890' });
});

it('any number stored in Vault arrives exactly or stops the load', async () => {
  const numbers = fc.oneof(
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    fc.maxSafeInteger().map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    fc.tuple(fc.integer(), fc.integer({ min: -420, max: 420 })).map(([digits, power]) => `${digits}e${power}`),
  );
  await fc.assert(
    fc.asyncProperty(numbers, async (number) => {
      fc.pre(await isTaken('secret/data/any', `{"data":{"N":${number}}}`));
      const outcome: unknown = await load({ sources: ['any'], load: [() => ({ T: 'n=${vault:secret/any#N}' })] }).catch(
        (error: unknown) => error,
      );
      if (isVaultError(outcome)) {
        expect((outcome as VaultConfigurationError).errors[0]).toMatchObject({ reason: 'inexact-number' });
        return;
      }
      const { N, T } = outcome as { N: number; T: string };
      expect(T).toBe(`n=${N}`);
      expect(Number.isFinite(N)).toBe(true);
      if (/^-?\d+$/.test(number)) expect(String(N)).toBe(number.replace(/^-0$/, '0'));
      else expect(Object.is(N, Number(number))).toBe(true);
    }),
    { numRuns: 60 },
  );
});

describe('a secret that was written with "data": null is called one without data', () => {
  it.each<[string, VaultConfigOptions]>([
    ['as a source', { sources: ['without-data'] }],
    ['as an optional source', { sources: [{ secretPath: 'without-data', optional: true }] }],
    ['in an optional layout', { layout: { application: 'without-data', optional: true } }],
    ['in a reference with a default', { load: [() => ({ ID: 'vault:secret/data/without-data#KEY?0' })] }],
  ])('%s', async (_, config) => {
    const error = await failureOf(load(config));
    expect((error as VaultConfigurationError).errors[0]).toMatchObject({
      code: 'VAULT_BAD_RESPONSE',
      reason: 'no-data',
    });
    expect(error.message).toContain('without-data');
    expect(error.message).not.toContain('kv1()');
  });
});
