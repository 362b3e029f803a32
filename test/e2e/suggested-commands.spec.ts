import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadVaultConfig } from '../../lib/index.js';
import type { VaultModuleOptions } from '../../lib/index.js';
import { findServerBinary } from '../../lib/server/find-binary.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';

const NAMESPACE = 'team';
let server: VaultServer;
let bao: string;

beforeAll(async () => {
  server = await startVaultServer();
  await server.request('POST', `sys/namespaces/${NAMESPACE}`);
  const mounted = async (): Promise<boolean> => {
    const body = { type: 'kv', options: { version: '2' } };
    const { status } = await server.request('POST', `${NAMESPACE}/sys/mounts/secret`, body, { throwOnError: false });
    return status < 300;
  };
  while (!(await mounted()));
  const binary = await findServerBinary();
  bao = binary.kind === 'program' ? binary.path : '';
});
afterAll(() => server.stop());

const auth = () => ({ method: 'token', token: server.rootToken, namespace: '' }) as const;

async function failure(options: Partial<VaultModuleOptions>): Promise<Error> {
  const error: unknown = await loadVaultConfig({ endpoint: server.endpoint, auth: auth(), ...options }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return error as Error;
}

/** Pastes a command into a shell, with `bao` and a key in place of the placeholder. */
async function paste(command: string): Promise<void> {
  const script = command.replace(/^bao/, '"$BAO"').replace('KEY=value', 'KEY=pasted');
  const env = {
    BAO: bao,
    BAO_ADDR: server.endpoint,
    BAO_TOKEN: server.rootToken,
    PATH: '/usr/bin:/bin',
    HOME: '/nowhere',
  };
  await promisify(execFile)('sh', ['-eu', '-c', script], { env });
}

describe('the command that an error suggests', () => {
  it.each([
    ['my-app', {}],
    ['This&That', {}],
    ['Test Problem', {}],
    ['a`id`b', {}],
    ["it's $HOME", {}],
    ['-help', {}],
    ['team/*', {}],
    ['my-app', { namespace: NAMESPACE }],
    ['a "b"', { namespace: NAMESPACE }],
  ])('writes the secret when it is pasted: %j %j', async (secretPath, options) => {
    const config = { sources: [secretPath] };
    const { message } = await failure({ ...options, config });
    const [, command = ''] = /Write it with "(bao kv put .*?KEY=value)"/.exec(message) ?? [];
    await paste(command);
    expect(await loadVaultConfig({ endpoint: server.endpoint, auth: auth(), ...options, config })).toEqual({
      KEY: 'pasted',
    });
  });
});

describe('a message about a call in a namespace', () => {
  it('names the namespace', async () => {
    const { message } = await failure({ namespace: NAMESPACE, config: { sources: ['absent'] } });
    expect(message).toMatch(/in mount "secret" in namespace "team" at /);
  });

  it('says that a misspelled namespace does not exist, and nothing about mounts', async () => {
    const { message } = await failure({ config: { sources: [{ namespace: 'taem', secretPath: 'x' }] } });
    expect(message).toMatch(/The Vault namespace "taem" does not exist on this server/);
    expect(message).not.toMatch(/mount path|secrets engine/);
  });

  it('of a denied read names the namespace of the policy', async () => {
    const { body } = await server.request<{ auth: { client_token: string } }>(
      'POST',
      `${NAMESPACE}/auth/token/create`,
      {
        policies: ['none'],
      },
    );
    const token = { method: 'token', token: body.auth.client_token } as const;
    const { message } = await failure({ namespace: NAMESPACE, auth: token, config: { sources: ['x'] } });
    expect(message).toMatch(/Add to one of them in namespace "team": path "secret\/data\/x"/);
  });

  it('of a refused login says that it used the namespace of the secrets', async () => {
    await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
    await server.request('POST', 'auth/userpass/users/alice', { password: 'p' });
    const login = { method: 'userpass', username: 'alice', password: 'p' } as const;
    const { message } = await failure({ namespace: NAMESPACE, auth: login });
    expect(message).toMatch(/"bao auth list -namespace=team" shows them.*set "auth\.namespace" to ""/s);
    await expect(
      loadVaultConfig({ endpoint: server.endpoint, namespace: NAMESPACE, auth: { ...login, namespace: '' } }),
    ).resolves.toEqual({});
  });
});
