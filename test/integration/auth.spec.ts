import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { VaultAuth } from '../../lib/auth/login-methods.js';
import { createLoginMethod } from '../../lib/auth/login-methods.js';
import { VaultSession } from '../../lib/auth/session.js';
import { VaultClient } from '../../lib/client/vault-client.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import type { FaultServer } from '../support/fault-server.js';
import { forwardTo, json, silent, startFaultServer } from '../support/fault-server.js';
import { startLdapServer } from '../support/ldap-server.js';

let server: VaultServer;
/** Between the module and the server, to count requests. */
let front: FaultServer;
let folder: string;
const environment = { ...process.env };
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'auth-spec-'));
  server = await startVaultServer();
  front = await startFaultServer(forwardTo(server.endpoint));
  for (const type of ['userpass', 'approle', 'ldap']) await server.request('POST', `sys/auth/${type}`, { type });
  await server.request('POST', 'sys/auth/team/a/approle', { type: 'approle' });
  await server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app' });
  for (const mount of ['approle', 'team/a/approle'])
    await server.request('POST', `auth/${mount}/role/app`, { token_ttl: '1h' });
  await server.request('POST', 'auth/approle/role/open', {
    bind_secret_id: false,
    secret_id_bound_cidrs: ['127.0.0.1/32'],
  });
});
afterEach(async () => {
  process.env = { ...environment };
  front.answerWith(forwardTo(server.endpoint));
  for (const close of closing.splice(0)) await close();
});
afterAll(async () => {
  await front.close();
  await server.stop();
  await rm(folder, { recursive: true });
});

async function session(auth: VaultAuth, endpoint = front.endpoint): Promise<VaultSession> {
  const made = new VaultSession(createLoginMethod(auth), {
    shutdown: { revoke: true, timeoutMs: 1000 },
    graceMs: 0,
  });
  const client = await VaultClient.create(
    { endpoint, tls: {}, timeoutMs: 5000, connectTimeoutMs: 2000, maxConnections: 4 },
    VaultSession.tokensOf(made),
  );
  closing.push(async () => {
    await made.close();
    await client.close();
  });
  await made.open(client);
  return made;
}

const data = (answer: { body: unknown }): Record<string, string> =>
  (answer.body as { data: Record<string, string> }).data;
const roleId = async (mount = 'approle', role = 'app') =>
  data(await server.request('GET', `auth/${mount}/role/${role}/role-id`))['role_id'] as string;
const secretId = async (mount = 'approle', more = {}) =>
  data(await server.request('POST', `auth/${mount}/role/app/secret-id`, more))['secret_id'] as string;
async function newToken(more: object = {}): Promise<string> {
  const { body } = await server.request('POST', 'auth/token/create', more);
  return (body as { auth: { client_token: string } }).auth.client_token;
}
async function wrap(path: string, ttl = '60s'): Promise<string> {
  const response = await fetch(`${server.endpoint}/v1/${path}`, {
    method: 'POST',
    headers: { 'x-vault-token': server.rootToken, 'x-vault-wrap-ttl': ttl },
    body: '{}',
  });
  return ((await response.json()) as { wrap_info: { token: string } }).wrap_info.token;
}
const alive = async (accessor: string | undefined): Promise<boolean> =>
  (
    await server
      .request('POST', 'auth/token/lookup-accessor', { accessor }, { allowError: true } as never)
      .catch(() => ({ status: 403 }))
  ).status === 200;
async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(20);
}
const refusal = (message: RegExp, more: object = {}) => ({
  code: 'VAULT_AUTHENTICATION',
  message: expect.stringMatching(message) as unknown,
  ...more,
});

describe('token', () => {
  it('is taken from the options, BAO_TOKEN before VAULT_TOKEN, a file, a function', async () => {
    const file = join(folder, 'token');
    await writeFile(file, `${server.rootToken}\n`);
    process.env['VAULT_TOKEN'] = 'wrong';
    process.env['BAO_TOKEN'] = server.rootToken;
    for (const auth of [
      {},
      { token: server.rootToken },
      { token: { file } },
      { token: { env: 'BAO_TOKEN' } },
      { token: () => Promise.resolve(server.rootToken) },
    ]) {
      expect((await session({ method: 'token', ...auth })).policies).toEqual(['root']);
    }
  });

  it('of any shape is looked up rather than judged', async () => {
    for (const token of [
      await newToken({ id: 'custom-id' }),
      await newToken({ id: 'e2f1c8a0-2d1c-4a36-9d8f-0c2f0f8f4a11' }),
      await newToken({ type: 'batch', policies: ['default'] }),
    ]) {
      expect((await session({ method: 'token', token })).state).toBe('active');
    }
  });

  it('that is wrong, revoked or expired is told from one that may not look itself up', async () => {
    const revoked = await newToken();
    await server.request('POST', 'auth/token/revoke', { token: revoked });
    for (const token of ['s.wrong', 'hvs.wrong', revoked]) {
      await expect(session({ method: 'token', token })).rejects.toMatchObject(
        refusal(/does not know this token.*wrong, has expired or was revoked/),
      );
    }
    const poor = await newToken({ no_default_policy: true, policies: ['nothing'] });
    await expect(session({ method: 'token', token: poor })).rejects.toMatchObject(
      refusal(/token is valid.*lookup-self/),
    );
    process.env['VAULT_TOKEN'] = 'wrong';
    await expect(session({ method: 'token' })).rejects.toMatchObject(refusal(/environment variable VAULT_TOKEN/));
  });

  it('that cannot be one is refused before a request', async () => {
    const before = front.requests.length;
    for (const token of ['', '  ', 'two words', 'line\nbreak', 'nul\u0000', 'ünïcode']) {
      await expect(session({ method: 'token', token })).rejects.toMatchObject({ code: 'VAULT_AUTHENTICATION' });
    }
    await expect(session({ method: 'token' })).rejects.toMatchObject(refusal(/No way to log in/));
    await expect(session({ method: 'token', token: { file: join(folder, 'no-file') } })).rejects.toMatchObject(
      refusal(/ENOENT/),
    );
    expect(front.requests).toHaveLength(before);
  });

  it('is never revoked', async () => {
    const made = await session({ method: 'token', token: await newToken() });
    const { accessor } = made;
    await made.close();
    expect(await alive(accessor)).toBe(true);
  });
});

describe('userpass and ldap', () => {
  it('log in, and say what to check', async () => {
    expect((await session({ method: 'userpass', username: 'app', password: 'pw-of-app' })).accessor).toBeDefined();
    await expect(session({ method: 'userpass', username: 'app', password: 'wrong' })).rejects.toMatchObject(
      refusal(/auth\.username.*auth\.password/),
    );
    await expect(
      session({ method: 'userpass', username: 'app', password: 'x', mountPath: 'nowhere' }),
    ).rejects.toMatchObject(refusal(/enabled at "nowhere"/));
    await expect(session({ method: 'userpass', username: '../../sys/seal', password: 'x' })).rejects.toMatchObject({
      code: 'VAULT_INVALID_PATH',
    });
  });

  it('against a directory, with LDAP_USERNAME and LDAP_PASSWORD', async () => {
    const ldap = await startLdapServer();
    closing.push(() => ldap.stop());
    await server.request('POST', 'auth/ldap/config', {
      url: ldap.url,
      binddn: ldap.bindDn,
      bindpass: ldap.bindPassword,
      userdn: ldap.userDn,
      userattr: 'uid',
      groupdn: ldap.groupDn,
    });
    process.env['LDAP_USERNAME'] = 'alice';
    process.env['LDAP_PASSWORD'] = ldap.users['alice']?.password;
    expect((await session({ method: 'ldap' })).state).toBe('active');
    process.env['LDAP_PASSWORD'] = 'wrong';
    await expect(session({ method: 'ldap' })).rejects.toMatchObject(refusal(/log in with ldap/));
    delete process.env['LDAP_PASSWORD'];
    await expect(session({ method: 'ldap' })).rejects.toMatchObject(refusal(/LDAP_PASSWORD is not set/));
  });
});

describe('approle', () => {
  it('with a secret id, on any mount, and without one where the role allows it', async () => {
    expect((await session({ method: 'approle', roleId: await roleId(), secretId: await secretId() })).state).toBe(
      'active',
    );
    const mountPath = 'team/a/approle';
    expect(
      (
        await session({
          method: 'approle',
          mountPath,
          roleId: await roleId(mountPath),
          secretId: await secretId(mountPath),
        })
      ).state,
    ).toBe('active');
    expect((await session({ method: 'approle', roleId: await roleId('approle', 'open') })).state).toBe('active');
  });

  it('with wrong or used-up credentials says what to check', async () => {
    await expect(
      session({ method: 'approle', roleId: await roleId(), secretId: 'wrong-secret-id' }),
    ).rejects.toMatchObject(refusal(/auth\.roleId.*auth\.secretId/));
    const once = await secretId('approle', { num_uses: 1 });
    await session({ method: 'approle', roleId: await roleId(), secretId: once });
    await expect(session({ method: 'approle', roleId: await roleId(), secretId: once })).rejects.toMatchObject(
      refusal(/used up/),
    );
  });

  it('fetches its own secret id with a bootstrap token', async () => {
    await server.request('PUT', 'sys/policies/acl/bootstrap', {
      policy:
        'path "auth/approle/role/app/secret-id" { capabilities = ["update"] }\npath "auth/approle/role/app/role-id" { capabilities = ["read"] }',
    });
    const token = await newToken({ policies: ['bootstrap'] });
    expect((await session({ method: 'approle', secretId: { token, roleName: 'app' } })).state).toBe('active');
    const poor = await newToken({ policies: ['default'] });
    await expect(session({ method: 'approle', secretId: { token: poor, roleName: 'app' } })).rejects.toMatchObject({
      code: 'VAULT_PERMISSION_DENIED',
      message: expect.stringContaining('path "auth/approle/role/app/role-id"') as unknown,
    });
  });

  it('unwraps a secret id once and keeps it for later logins', async () => {
    const wrapped = await wrap('auth/approle/role/app/secret-id');
    const made = await session({ method: 'approle', roleId: await roleId(), secretId: { wrapped } });
    const first = made.accessor;
    await made.relogin();
    expect(made.accessor).not.toBe(first);
    expect(front.requests.filter(({ url }) => url.endsWith('sys/wrapping/unwrap'))).toHaveLength(1);
    await expect(session({ method: 'approle', roleId: await roleId(), secretId: { wrapped } })).rejects.toMatchObject(
      refusal(/used already.*stolen/, { reason: 'wrapping-token-invalid' }),
    );
  });

  it('leaves a token that wraps something else unopened', async () => {
    const wrapped = await wrap('auth/token/create');
    await expect(session({ method: 'approle', roleId: await roleId(), secretId: { wrapped } })).rejects.toMatchObject(
      refusal(/made at "auth\/token\/create"/, { reason: 'wrapping-token-origin' }),
    );
    const opened = await fetch(`${server.endpoint}/v1/sys/wrapping/unwrap`, {
      method: 'POST',
      headers: { 'x-vault-token': wrapped },
    });
    expect(opened.status).toBe(200);
  });
});

describe('the session', () => {
  const userpass = { method: 'userpass', username: 'app', password: 'pw-of-app' } as const;
  const logins = () => front.requests.filter(({ url }) => url.includes('/login/')).length;

  it('a login answer without a token is an error', async () => {
    for (const body of [
      {},
      { auth: null },
      { auth: {} },
      { auth: { client_token: '' } },
      { auth: { client_token: 7 } },
    ]) {
      front.answerWith(json(200, body));
      await expect(session(userpass)).rejects.toMatchObject(refusal(/without a client token/));
    }
  });

  it('fifty callers share one login, and a failed one is not remembered', async () => {
    const made = await session(userpass);
    const before = logins();
    await Promise.all(Array.from({ length: 50 }, () => made.relogin()));
    expect(logins() - before).toBe(1);
    front.answerWith(json(500, { errors: ['broken'] }));
    await expect(made.relogin()).rejects.toMatchObject({ code: 'VAULT_SERVER' });
    front.answerWith(forwardTo(server.endpoint));
    await made.relogin();
    expect(made.state).toBe('active');
  });

  it('gives back what it obtained: the token it replaces, and the last one on close', async () => {
    const made = await session(userpass);
    const first = made.accessor;
    expect(await alive(first)).toBe(true);
    await made.relogin();
    const second = made.accessor;
    await eventually(async () => !(await alive(first)));
    expect(await alive(second)).toBe(true);
    await made.close();
    expect(await alive(second)).toBe(false);
    await expect(made.relogin()).rejects.toMatchObject({ code: 'VAULT_CLOSED' });
  });

  it('closes without a server, within its limit', async () => {
    const made = await session(userpass);
    front.answerWith(silent());
    await made.close();
    expect(made.state).toBe('closed');
  });

  it('closed while logging in, it gives the new token back', async () => {
    const made = await session(userpass);
    front.answerWith(
      forwardTo(server.endpoint, {
        intercept: async (request, _response, forward) => {
          if (request.url.includes('/login/')) await made.close();
          await forward();
        },
      }),
    );
    await expect(made.relogin()).rejects.toMatchObject({ code: 'VAULT_CLOSED' });
    const revoked = front.requests.filter(({ url }) => url.endsWith('auth/token/revoke-self'));
    expect(new Set(revoked.map(({ headers }) => headers['x-vault-token'])).size).toBeGreaterThanOrEqual(2);
  });
});
