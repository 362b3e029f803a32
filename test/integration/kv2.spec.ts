import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Kv1Engine } from '../../lib/engines/kv1.engine.js';
import { Kv2Engine } from '../../lib/engines/kv2.engine.js';
import { LogicalEngine } from '../../lib/engines/logical.engine.js';
import type { VaultClient } from '../../lib/client/vault-client.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { forwardTo, startFaultServer } from '../support/fault-server.js';
import { createClient } from '../support/vault-client.js';

let server: VaultServer;
let client: VaultClient;
let kv: Kv2Engine;

beforeAll(async () => {
  server = await startVaultServer();
  client = await createClient(server.endpoint, server.rootToken);
  kv = new Kv2Engine(client);
});
afterAll(async () => {
  await client.close();
  await server.stop();
});

const code = (expected: string, more: object = {}) => ({ code: expected, ...more });

describe('values', () => {
  it('survive with their types', async () => {
    const data = {
      text: 'zażółć 🗝️ \u0000\n"quotes"',
      number: -1.5e10,
      zero: 0,
      yes: true,
      no: false,
      nothing: null,
      list: [1, 'two', [3], { four: 4 }],
      nested: { deep: { deeper: { deepest: 'x' } } },
      empty: {},
      big: 'x'.repeat(512 * 1024),
    };
    await kv.write('types', data);
    expect((await kv.read('types')).data).toEqual(data);
  });

  it.each(['with space', '100%', 'a#b', 'a?b=c', "o'brien", 'ünïcödé', 'a%2Fb', 'nested/path/here', 'a+b', 'data/x'])(
    'are kept under the name %j',
    async (name) => {
      await kv.write(name, { name });
      expect((await kv.read(name)).data).toEqual({ name });
    },
  );
});

describe('limits of the server', () => {
  it('name the limit of strings in a request, and how to stay below it', async () => {
    const data = Object.fromEntries(Array.from({ length: 600 }, (_, index) => [`key${index}`, 'a value']));
    await expect(kv.write('many', data)).rejects.toMatchObject({
      code: 'VAULT_REQUEST',
      reason: 'json-complexity',
      message: expect.stringContaining('max_request_json_strings') as unknown,
    });
  });

  it('do not make a parameter that the request lacks a fault of the server', async () => {
    await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
    await server.request('POST', 'sys/auth/approle', { type: 'approle' });
    await server.request('POST', 'auth/userpass/users/alice', { password: 'p' });
    for (const path of ['auth/userpass/login/alice', 'auth/approle/login']) {
      await expect(new LogicalEngine(client).write(path, {}, { idempotent: true })).rejects.toMatchObject({
        code: 'VAULT_REQUEST',
        reason: 'missing-parameter',
        statusCode: 500,
        retryable: false,
      });
    }
  });
});

describe('versions', () => {
  it('are counted, listed, and read one by one', async () => {
    const first = await kv.write('counted', { n: 1 });
    const second = await kv.write('counted', { n: 2 });
    expect([first.version, second.version]).toEqual([1, 2]);
    expect((await kv.readVersion('counted', 1)).data).toEqual({ n: 1 });
    const metadata = await kv.metadata('counted');
    expect(metadata).toMatchObject({ currentVersion: 2, casRequired: false });
    expect(metadata.versions.map(({ version }) => version)).toEqual([1, 2]);
    await expect(kv.readVersion('counted', 9)).rejects.toMatchObject(code('VAULT_NOT_FOUND'));
    for (const wrong of [0, -1, 1.5, NaN])
      await expect(kv.readVersion('counted', wrong)).rejects.toMatchObject(code('VAULT_INVALID_OPTION'));
  });

  it('absent, deleted and destroyed are three different results', async () => {
    await expect(kv.read('absent')).rejects.toMatchObject(code('VAULT_NOT_FOUND'));
    await kv.write('gone', { n: 1 });
    await kv.delete('gone');
    await expect(kv.read('gone')).rejects.toMatchObject(
      code('VAULT_DELETED_VERSION', { destroyed: false, version: 1 }),
    );
    await kv.undelete('gone', [1]);
    expect((await kv.read('gone')).data).toEqual({ n: 1 });
    await kv.deleteVersions('gone', [1]);
    await expect(kv.read('gone')).rejects.toMatchObject(code('VAULT_DELETED_VERSION', { destroyed: false }));
    await kv.destroy('gone', [1]);
    await expect(kv.read('gone')).rejects.toMatchObject(code('VAULT_DELETED_VERSION', { destroyed: true }));
    await kv.deleteMetadata('gone');
    await expect(kv.read('gone')).rejects.toMatchObject(code('VAULT_NOT_FOUND'));
    await expect(kv.destroy('gone', [])).rejects.toMatchObject(code('VAULT_INVALID_OPTION'));
  });

  it('check-and-set refuses a lost race', async () => {
    await kv.write('cas', { n: 1 }, { cas: 0 });
    await expect(kv.write('cas', { n: 2 }, { cas: 0 })).rejects.toMatchObject(code('VAULT_CAS_MISMATCH'));
    expect((await kv.write('cas', { n: 2 }, { cas: 1 })).version).toBe(2);
    await expect(kv.write('cas', {}, { cas: -1 })).rejects.toMatchObject(code('VAULT_INVALID_OPTION'));
  });

  it('roll back to an old one, unless it is gone', async () => {
    await kv.write('back', { n: 1 });
    await kv.write('back', { n: 2 });
    expect((await kv.rollback('back', 1)).version).toBe(3);
    expect((await kv.read('back')).data).toEqual({ n: 1 });
    await kv.destroy('back', [2]);
    await expect(kv.rollback('back', 2)).rejects.toMatchObject(code('VAULT_DELETED_VERSION'));
  });
});

describe('patch', () => {
  it('changes, adds and removes keys', async () => {
    await kv.write('patched', { keep: 1, change: 1, drop: 1, nested: { a: 1, b: 2 } });
    await kv.patch('patched', { change: 2, drop: null, nested: { b: null, c: 3 } });
    expect((await kv.read('patched')).data).toEqual({ keep: 1, change: 2, nested: { a: 1, c: 3 } });
    await expect(kv.patch('absent', { a: 1 })).rejects.toMatchObject(code('VAULT_NOT_FOUND'));
  });

  it('does the same where PATCH is not taken, and never overwrites a writer in between', async () => {
    let between = (): Promise<unknown> => Promise.resolve();
    const front = await startFaultServer(
      forwardTo(server.endpoint, {
        intercept: async (request, response, forward) => {
          if (request.method === 'PATCH') {
            response.writeHead(405, { 'content-type': 'application/json' }).end('{"errors":["unsupported operation"]}');
            return;
          }
          if (request.method === 'POST') await between();
          await forward();
        },
      }),
    );
    const through = await createClient(front.endpoint, server.rootToken);
    const old = new Kv2Engine(through);
    await kv.write('old', { keep: 1, drop: 1, nested: { a: 1, b: 2 } });
    await old.patch('old', { drop: null, nested: { b: 3 } });
    expect((await kv.read('old')).data).toEqual({ keep: 1, nested: { a: 1, b: 3 } });
    between = () => kv.write('old', { other: 'writer' });
    await expect(old.patch('old', { keep: 2 })).rejects.toMatchObject(code('VAULT_CAS_MISMATCH'));
    expect((await kv.read('old')).data).toEqual({ other: 'writer' });
    await through.close();
    await front.close();
  });
});

describe('lists', () => {
  it('name secrets and folders; nothing there is an empty list', async () => {
    await kv.write('folder/one', {});
    await kv.write('folder/sub/two', {});
    expect(await kv.list('folder')).toEqual(['one', 'sub/']);
    expect(await kv.list('folder/')).toEqual(['one', 'sub/']);
    expect(await kv.list()).toContain('folder/');
    expect(await kv.list('no-such-folder')).toEqual([]);
  });
});

describe('other engines', () => {
  it('kv1 reads, lists, writes, deletes', async () => {
    await server.request('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } });
    const kv1 = new Kv1Engine(client, 'old');
    await kv1.write('a/b', { n: 1 });
    expect(await kv1.read('a/b')).toEqual({ n: 1 });
    expect([await kv1.list(), await kv1.list('a')]).toEqual([['a/'], ['b']]);
    await kv1.delete('a/b');
    await expect(kv1.read('a/b')).rejects.toMatchObject(code('VAULT_NOT_FOUND'));
    expect(await kv1.list()).toEqual([]);
  });

  it('a KV v1 mount read as v2 says so', async () => {
    await server.request('POST', 'old/data/trap', { password: 'x' });
    await expect(new Kv2Engine(client, 'old').read('trap')).rejects.toMatchObject(
      code('VAULT_BAD_RESPONSE', { message: expect.stringContaining('kv1()') as unknown }),
    );
  });

  it('any path: data, lease, warnings, wrapping', async () => {
    const logical = new LogicalEngine(client);
    await server.request('POST', 'sys/mounts/pki', { type: 'pki' });
    await logical.write('pki/root/generate/internal', { common_name: 'test' });
    await logical.write('pki/roles/web', { allow_any_name: true, generate_lease: true });
    const leased = await logical.write('pki/issue/web', { common_name: 'a.test', ttl: '1h' });
    expect(leased.leaseId).toMatch(/^pki\/issue\/web\//);
    expect(leased.leaseDuration).toBeGreaterThan(3000);
    const wrapped = await logical.read('secret/data/types', { wrapTtl: 60 });
    expect(wrapped.wrapInfo?.['token']).toEqual(expect.any(String));
    expect(await logical.list('pki/roles')).toEqual(['web']);
    await logical.delete('pki/roles/web');
    await expect(logical.read('pki/roles/web')).rejects.toMatchObject(code('VAULT_NOT_FOUND'));
    await expect(logical.read('pki/../sys/mounts')).rejects.toMatchObject(code('VAULT_INVALID_PATH'));
  });
});
