import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import type { VaultConfigOptions, VaultModuleOptions } from '../../lib/index.js';
import { loadVaultConfig, VaultConfigurationError } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import type { FaultServer } from '../support/fault-server.js';
import { startFaultServer } from '../support/fault-server.js';

let server: VaultServer;
let limited: string;
let gateway: FaultServer | undefined;

beforeAll(async () => {
  server = await startVaultServer();
  await server.request('POST', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
  await server.request('POST', 'kv1/my-app', { PASSWORD: 'real' });
  await server.request('POST', 'sys/mounts/transit', { type: 'transit' });
  await server.seed({ 'secret/my-app': { PASSWORD: 'two' }, 'secret/gone': { A: 1 } });
  await server.request('DELETE', 'secret/data/gone');
  await server.request('PUT', 'sys/policies/acl/reader', {
    policy: 'path "secret/data/*" { capabilities = ["read"] } path "kv1/my-app" { capabilities = ["read"] }',
  });
  const { body } = await server.request('POST', 'auth/token/create', { policies: ['reader'] });
  limited = (body as { auth: { client_token: string } }).auth.client_token;
});
afterAll(() => server.stop());
afterEach(async () => {
  jest.restoreAllMocks();
  await gateway?.close();
  gateway = undefined;
});

const load = (config: VaultConfigOptions, options: Partial<VaultModuleOptions> = {}) =>
  loadVaultConfig({
    endpoint: server.endpoint,
    auth: { method: 'token', token: server.rootToken },
    config,
    ...options,
  });

async function failure(config: VaultConfigOptions, options?: Partial<VaultModuleOptions>): Promise<readonly Error[]> {
  const error: unknown = await load(config, options).then(
    (values) => Promise.reject(new Error(`It loaded ${Object.keys(values).join(', ')}.`)),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof VaultConfigurationError)) throw error;
  return error.errors;
}

/** Mistakes that are not an absent secret. The secret that is asked for does not matter. */
const MISTAKES = {
  mount: [{ mountPath: 'secrets' }, { mountPath: 'secret/data' }, { mountPath: 'transit' }, { mountPath: 'kv1/team' }],
  namespace: [{ namespace: 'taem' }, { namespace: 'team/a' }],
  version: [{ version: 7 }, { mountPath: 'kv1', version: 1 }, { mountPath: 'kv1', kvVersion: 2 as const }],
};

describe('an optional source', () => {
  it('tolerates a secret that does not exist, in KV v1 and v2, for any token', async () => {
    expect(await load({ sources: [{ secretPath: 'nothing', optional: true }] })).toEqual({});
    expect(await load({ sources: [{ secretPath: 'nothing', mountPath: 'kv1', optional: true }] })).toEqual({});
    const auth = { method: 'token' as const, token: limited };
    expect(await load({ sources: [{ secretPath: 'nothing', optional: true }] }, { auth })).toEqual({});
  });

  it('stops the boot for any mistake in mount, namespace and version', async () => {
    const mistake = fc.constantFrom(...MISTAKES.mount, ...MISTAKES.namespace, ...MISTAKES.version);
    const secretPath = fc.constantFrom('my-app', 'nothing', 'data/my-app', 'team/db', 'secret/data/x');
    const token = fc.boolean();
    await fc.assert(
      fc.asyncProperty(mistake, secretPath, token, async (wrong, path, isLimited) => {
        const auth = { method: 'token' as const, token: isLimited ? limited : server.rootToken };
        const failures = await failure({ sources: [{ secretPath: path, ...wrong, optional: true }] }, { auth });
        expect(failures).toHaveLength(1);
      }),
      { numRuns: 40 },
    );
  });

  it('stops the boot when the path carries what the module adds, and for a deleted secret', async () => {
    for (const secretPath of ['data/my-app', 'secret/data/my-app', 'secret/my-app', 'v1/secret/data/my-app', 'gone']) {
      expect(await failure({ sources: [{ secretPath, optional: true }] })).toHaveLength(1);
    }
  });

  it.each([['{"message":"Not Found"}'], ['{}'], ['null'], ['[]'], [''], ['{"errors":[""]}'], ['{"errors":[],"x":1}']])(
    'stops the boot when a gateway responds 404 with %s',
    async (body) => {
      gateway = await throughGateway((url) => (url.startsWith('/v1/secret/') ? [404, body] : undefined));
      const failures = await failure(
        { sources: [{ secretPath: 'my-app', optional: true }] },
        { endpoint: gateway.endpoint },
      );
      expect(failures).toHaveLength(1);
    },
  );

  it('tolerates an absent secret with a warning when the lookup of the mount is denied', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    gateway = await throughGateway((url) => (url.startsWith('/v1/sys/internal') ? [403, '{}'] : undefined));
    const values = await load({ sources: [{ secretPath: 'nothing', optional: true }] }, { endpoint: gateway.endpoint });
    expect(values).toEqual({});
    expect(warn.mock.calls.flat().join('\n')).toContain('sys/internal/ui/mounts');
  });

  it('costs one lookup for each mount, and none when every secret is there', async () => {
    gateway = await throughGateway(() => undefined);
    const lookups = () => gateway?.requests.filter(({ url }) => url.includes('sys/internal')).length;
    await load({ sources: ['my-app'] }, { endpoint: gateway.endpoint });
    expect(lookups()).toBe(0);
    const sources = ['a', 'b', 'c'].map((secretPath) => ({ secretPath, optional: true }));
    await load({ sources }, { endpoint: gateway.endpoint });
    expect(lookups()).toBe(1);
  });
});

describe('a layout and a default', () => {
  it('tolerate an absent secret and no mistake', async () => {
    const PASSWORD = (text: string) => ({ load: [() => ({ PASSWORD: text })] });
    expect(await load({ layout: { application: 'nothing', optional: true } })).toEqual({});
    expect(await load(PASSWORD('vault:secret/nothing#PASSWORD?changeme'))).toEqual({ PASSWORD: 'changeme' });
    for (const wrong of [...MISTAKES.mount, ...MISTAKES.namespace]) {
      expect(await failure({ layout: { application: 'my-app', optional: true, ...wrong } })).not.toHaveLength(0);
    }
    for (const text of ['secrets/my-app#A?x', 'transit/my-app#A?x', 'secret/my-app#A#9?x', 'kv1/my-app#A#1?x']) {
      expect(await failure(PASSWORD(`vault:${text}`))).toHaveLength(1);
    }
  });
});

describe('a KV v1 engine', () => {
  it('is found, or named by "kvVersion", for sources, layouts and references, with any token', async () => {
    for (const auth of [server.rootToken, limited].map((token) => ({ method: 'token' as const, token }))) {
      const secret = { secretPath: 'my-app', mountPath: 'kv1' };
      expect(await load({ sources: [secret] }, { auth })).toEqual({ PASSWORD: 'real' });
      expect(await load({ sources: [{ ...secret, kvVersion: 1 }] }, { auth })).toEqual({ PASSWORD: 'real' });
      expect(await load({ load: [() => ({ A: 'vault:kv1/my-app#PASSWORD?x' })] }, { auth })).toEqual({ A: 'real' });
    }
    const layout = { application: 'my-app', mountPath: 'kv1', profiles: ['none'] };
    expect(await load({ layout })).toEqual({ PASSWORD: 'real' });
  });

  it('has no versions', async () => {
    await expect(
      load({ sources: [{ secretPath: 'my-app', mountPath: 'kv1', kvVersion: 1, version: 1 }] }),
    ).rejects.toMatchObject({ code: 'VAULT_INVALID_OPTION' });
  });
});

/** Passes requests on to the real server, except for those that get a response of their own. */
function throughGateway(respond: (url: string) => readonly [number, string] | undefined): Promise<FaultServer> {
  return startFaultServer(async ({ method, url, headers, body }, response) => {
    const own = respond(url);
    if (own) {
      response.writeHead(own[0], { 'content-type': 'application/json' }).end(own[1]);
      return;
    }
    const token = headers['x-vault-token'];
    const passed = await fetch(server.endpoint + url, {
      method,
      headers: typeof token === 'string' ? { 'x-vault-token': token } : {},
      ...(body !== '' && { body }),
    });
    response.writeHead(passed.status, { 'content-type': 'application/json' }).end(await passed.text());
  });
}
