import { copyFile, mkdtemp, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { CustomAuth } from '../../lib/auth/methods/custom.auth.js';
import { fixedToken } from '../../lib/client/token-source.js';
import { createVaultClient } from '../../lib/client/vault-client.js';
import { Kv2Engine } from '../../lib/engines/kv2.engine.js';
import { AuthBench } from '../support/auth-bench.js';
import { forwardTo, json } from '../support/fault-server.js';
import type { VaultAgent } from '../support/vault-agent.js';
import { startVaultAgent } from '../support/vault-agent.js';
import { until } from '../support/until.js';

let bench: AuthBench;
/** Agents: one whose token lives long, and one that has to log in anew every few seconds. */
let steady: VaultAgent;
let hasty: VaultAgent;
let folder: string;
const environment = { ...process.env };

const refusal = (message: RegExp, more: object = {}) => ({
  code: 'VAULT_AUTHENTICATION',
  message: expect.stringMatching(message) as unknown,
  ...more,
});
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'auth-agent-'));
  bench = await AuthBench.start();
  const { server } = bench;
  await server.seed({ 'secret/app': { PORT: 1 } });
  await server.request('PUT', 'sys/policies/acl/app', { policy: 'path "secret/data/app" { capabilities = ["read"] }' });
  for (const type of ['approle', 'userpass']) await server.request('POST', `sys/auth/${type}`, { type });
  await server.request('POST', 'auth/userpass/users/app', { password: 'pw', token_policies: 'app' });
  const start = async (role: string, ttl: string): Promise<VaultAgent> => {
    const options = { token_policies: 'app', token_ttl: ttl, token_max_ttl: ttl };
    await server.request('POST', `auth/approle/role/${role}`, options);
    const { role_id: roleId } = await bench.ask('GET', `auth/approle/role/${role}/role-id`);
    const { secret_id: secretId } = await bench.ask('POST', `auth/approle/role/${role}/secret-id`, {});
    return startVaultAgent(server.endpoint, roleId as string, secretId as string);
  };
  [steady, hasty] = await Promise.all([start('steady', '1h'), start('hasty', '4s')]);
});
afterEach(async () => {
  process.env = { ...environment };
  await bench.reset();
});
afterAll(async () => {
  await Promise.all([steady.stop(), hasty.stop()]);
  await bench.stop();
  await rm(folder, { recursive: true });
});

describe('none', () => {
  it('login with none sends no token, looks up and revokes nothing, and reads through an agent that adds its token', async () => {
    process.env['VAULT_TOKEN'] = 'not-to-be-sent';
    bench.front.answerWith(forwardTo(steady.endpoint));
    const session = await bench.open({ method: 'none' });
    expect(session).toMatchObject({ state: 'active', accessor: undefined, policies: [], expiresAt: undefined });
    expect(bench.front.requests).toEqual([]);
    const options = { endpoint: bench.front.endpoint, tls: {}, timeoutMs: 5_000, connectTimeoutMs: 5_000, maxConnections: 1 }; // prettier-ignore
    const client = await createVaultClient(options, fixedToken(undefined));
    expect((await new Kv2Engine(client, 'secret').read('app')).data).toEqual({ PORT: 1 });
    await client.close();
    await session.close();
    expect(bench.front.requests.map(({ url, headers }) => [url, headers['x-vault-token']])).toEqual([
      ['/v1/secret/data/app', undefined],
    ]);
  });
});

describe('token-file', () => {
  const lookedUp = () => bench.sent('auth/token/lookup-self').map(({ headers }) => headers['x-vault-token']);
  const sink = async (token: string): Promise<string> => {
    const file = join(folder, 'sink');
    await writeFile(file, token);
    return file;
  };

  it('login with token-file adopts each token that the agent writes, and revokes none', async () => {
    // The agent may have been too busy to replace a token before its end.
    const open = () => bench.open({ method: 'token-file', file: hasty.plainSink }).catch(() => undefined);
    let opened = await open();
    while (opened === undefined) opened = await open();
    const session = opened;
    const first = session.accessor;
    expect(session.policies).toEqual(['app', 'default']);
    await until(() => session.accessor !== first);
    await until(async () => lookedUp().at(-1) === (await hasty.token()));
    await session.close();
    expect(bench.sent('revoke-self')).toEqual([]);
  });

  it('login with token-file unwraps each token of a wrapped sink once', async () => {
    const file = join(folder, 'wrapped');
    await copyFile(steady.wrappedSink, file);
    const session = await bench.open({ method: 'token-file', file });
    await session.relogin();
    expect(bench.sent('sys/wrapping/unwrap')).toHaveLength(1);
    expect(lookedUp()).toHaveLength(2);
    const again = bench.open({ method: 'token-file', file });
    await expect(again).rejects.toMatchObject(
      refusal(/wrapping token has been used already.*revoke the token of the agent/, {
        reason: 'wrapping-token-invalid',
      }),
    );
  });

  it('login with token-file keeps its token while the file is missing or invalid, and adopts the next valid one', async () => {
    const [first, second] = [await bench.token({ policies: ['app'] }), await bench.token({ policies: ['default'] })];
    const file = await sink(first);
    const session = await bench.open({ method: 'token-file', file });
    const { accessor } = session;
    await unlink(file);
    await writeFile(file, 'two words');
    await writeFile(`${file}.new`, 's.AAAAAAAAAAAAAAAAAAAAAAAA');
    await rename(`${file}.new`, file);
    await until(() => lookedUp().length > 1);
    // It may be trying again just now, and has its token meanwhile.
    expect(session.accessor).toBe(accessor);
    expect(['active', 'renewing', 'recovering']).toContain(session.state);
    await writeFile(file, `${second}\n`);
    await until(() => session.accessor !== accessor);
    expect(session.policies).toEqual(['default']);
    // Another session on the same file sees the change that the closed one must not see.
    const other = await bench.open({ method: 'token-file', file });
    await session.close();
    const before = lookedUp().length;
    await writeFile(file, first);
    await until(() => other.accessor === accessor);
    expect(lookedUp()).toHaveLength(before + 1);
  });

  it.each<[string, () => Promise<string>, RegExp]>([
    ['is not there', () => Promise.resolve(join(folder, 'absent')), /"auth\.file": cannot read file ".*absent" \(ENOENT\)/],
    ['is empty', () => sink(' \n'), /"auth\.file" is empty/],
    ['is a directory', () => Promise.resolve(folder), /EISDIR/],
    ['is no token', () => sink('two words'), /white space in it/],
    ['is JSON of something else', () => sink('{"tok":"x"}'), /characters|white space|does not know/],
    ['is cut-off JSON', () => sink('{"token":'), /characters|white space|does not know/],
    ['holds an unknown token', () => sink('s.AAAAAAAAAAAAAAAAAAAAAAAA'), /does not know this token/],
  ])('login with token-file fails when the file %s', async (_name, file, message) => {
    await expect(bench.open({ method: 'token-file', file: await file() })).rejects.toMatchObject(refusal(message));
  }); // prettier-ignore
});

describe('custom', () => {
  const open = (login: CustomAuth['login'], more: Partial<CustomAuth> = {}) =>
    bench.open({ method: 'custom', login, ...more });

  it('login with custom accepts a login response and owns its token', async () => {
    const session = await open((vault) => vault.write('auth/userpass/login/app', { password: 'pw' }) as never);
    expect(session.policies).toEqual(['app', 'default']);
    expect(bench.front.requests.map(({ headers }) => headers['x-vault-token'])).toEqual([undefined]);
    const { accessor } = session;
    await session.close();
    expect(await bench.alive(accessor)).toBe(false);
  });

  it('login with custom looks up a token, and revokes it only with revoke: true', async () => {
    for (const [result, alive] of [
      [await bench.token(), true],
      [` ${await bench.token()}\n`, true],
      [{ token: await bench.token() }, true],
      [{ token: await bench.token(), revoke: true }, false],
    ] as const) {
      const session = await open(() => Promise.resolve(result));
      const { accessor } = session;
      expect(accessor).toBeDefined();
      await session.close();
      expect(await bench.alive(accessor)).toBe(alive);
    }
  });

  it('login with custom calls the function at every login, with the endpoint and an optional token', async () => {
    const parent = await bench.token({ policies: ['root'] });
    const endpoints: string[] = [];
    const session = await open(async (vault) => {
      endpoints.push(vault.endpoint);
      return (await vault.write('auth/token/create', { policies: ['app'] }, { token: parent })) as never;
    });
    await session.relogin();
    expect(endpoints).toEqual([bench.front.endpoint, bench.front.endpoint]);
    expect(session.policies).toEqual(['app', 'default']);
  });

  it.each<[string, CustomAuth['login'], RegExp]>([
    ['fails', () => Promise.reject(new TypeError('secret inside')), /it failed \(TypeError\)\.$/],
    ['throws something else', () => { throw 'secret inside'; }, /it failed \(string\)\.$/], // eslint-disable-line @typescript-eslint/only-throw-error
    ['returns nothing', () => undefined as never, /returned neither a token/],
    ['returns a number', () => 7 as never, /returned neither a token/],
    ['returns null', () => null as never, /returned neither a token/],
    ['returns no token in an object', () => ({ token: { secret: 1 } }) as never, /returned neither a token/],
    ['returns revoke that is no boolean', () => ({ token: 's.x', revoke: 'yes' }) as never, /returned neither a token/],
    ['returns an empty token', () => ' ', /is empty/],
    ['returns two words', () => 'two words', /white space in it/],
    ['returns an answer without a token', () => ({ auth: {} }), /without a client token/],
    ['returns a token nobody knows', () => 's.AAAAAAAAAAAAAAAAAAAAAAAA', /does not know this token/],
    ['is denied', (vault) => vault.write('auth/userpass/login/app', { password: 'wrong' }) as never, /invalid username or password|denied/],
  ])('login with custom fails when the function %s', async (_name, login, message) => {
    const error: unknown = await open(login).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: expect.stringMatching(/^VAULT_(AUTHENTICATION|REQUEST)$/) as unknown, message: expect.stringMatching(message) as unknown });
    expect((error as Error).message).not.toMatch(/secret inside|two words|s\.AAAA/);
  }); // prettier-ignore

  it.each(['../sys/seal', 'auth//login', '/auth/x'])(
    'login with custom rejects a write to the path %j',
    async (path) => {
      await expect(open((vault) => vault.write(path) as never)).rejects.toMatchObject({ code: 'VAULT_INVALID_PATH' });
      expect(bench.front.requests).toEqual([]);
    },
  );

  it('login with custom supplies a second factor that the response requires', async () => {
    const any = [{ type: 'totp', id: 'id-1', uses_passcode: true }];
    const mfa_requirement = { mfa_request_id: 'r', mfa_constraints: { staff: { any } } };
    bench.front.answerWith(json(200, { auth: { client_token: 's.after-the-second-factor' } }));
    await open(() => ({ auth: { client_token: '', mfa_requirement } }), { mfa: { totp: '123456' } });
    expect(bench.sent('sys/mfa/validate')).toHaveLength(1);
  });
});
