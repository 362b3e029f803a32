import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Credential } from '../../lib/auth/credential.js';
import { AuthBench } from '../support/auth-bench.js';

const environment = { ...process.env };
const refusal = (message: RegExp, more: object = {}) => ({
  code: 'VAULT_AUTHENTICATION',
  message: expect.stringMatching(message) as unknown,
  ...more,
});
const UNKNOWN = /does not know this token\. It is wrong, has expired or was revoked/;
const DENIED =
  /the token is valid, but it may not look itself up.*path "auth\/token\/lookup-self" { capabilities = \["read"] }/;

// The two are told apart by the server's wording, which nobody has promised: hence on every version that is supported.
describe.each(['2.6.2', '2.7.2'])('a token at OpenBao %s', (version) => {
  let bench: AuthBench;
  beforeAll(async () => {
    bench = await AuthBench.start({ version });
    await bench.server.request('POST', 'sys/namespaces/team', {});
  }, 120_000);
  afterEach(() => bench.reset());
  afterAll(() => bench.stop());

  const open = (token: string) => bench.open({ method: 'token', token });

  it('lookup rejects an expired token', async () => {
    const token = await bench.token({ ttl: '1s' });
    await bench.until(403, 'GET', 'auth/token/lookup-self', undefined, token);
    await expect(open(token)).rejects.toMatchObject(refusal(UNKNOWN, { statusCode: 403 }));
  });

  it('lookup rejects a revoked or used-up token', async () => {
    const revoked = await bench.token();
    await bench.server.request('POST', 'auth/token/revoke', { token: revoked });
    const spent = await bench.token({ num_uses: 1 });
    await bench.status('GET', 'auth/token/lookup-self', undefined, spent);
    for (const token of [revoked, spent]) await expect(open(token)).rejects.toMatchObject(refusal(UNKNOWN));
  });

  it.each([
    's.AAAAAAAAAAAAAAAAAAAAAAAA',
    'b.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    'hvs.AAAAAAAAAAAAAAAAAAAAAAAA',
    'hvb.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '4d2f7a0e-7f9b-4f2e-9a57-0d5b7f0a2c11',
    'made-up',
  ])('lookup rejects a token that the server never issued: %s', async (token) => {
    const error: unknown = await open(token).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(refusal(UNKNOWN));
    expect((error as Error).message).not.toContain(token);
  });

  it('lookup error advises a policy when the token may not look itself up', async () => {
    const token = await bench.token({ policies: ['narrow'], no_default_policy: true });
    await expect(open(token)).rejects.toMatchObject(refusal(DENIED));
    const policy = 'path "auth/token/lookup-self" { capabilities = ["read"] }';
    await bench.server.request('PUT', 'sys/policies/acl/narrow', { policy });
    expect((await open(token)).policies).toEqual(['narrow']);
  });

  it('lookup returns accessor, policies and lifetime of every token type', async () => {
    const endless = await bench.open({ method: 'token', token: bench.server.rootToken });
    expect(endless.expiresAt).toBeUndefined();
    for (const more of [{}, { id: 'my-own-id' }, { id: '0b0a4fd2-5b4e-4d52-8f42-7a9b1a4b2e0d' }]) {
      const session = await open(await bench.token({ ...more, policies: ['default'], ttl: '1h' }));
      expect(session.accessor).toMatch(/\w{8}/);
      expect(session.policies).toEqual(['default']);
      const seconds = ((session.expiresAt?.getTime() ?? 0) - Date.now()) / 1000;
      expect(seconds).toBeGreaterThan(3000);
      expect(seconds).toBeLessThanOrEqual(3600);
    }
    const batch = await open(await bench.token({ type: 'batch', policies: ['default'] }));
    expect(batch.state).toBe('active');
    expect(batch.accessor).toBeUndefined();
  });

  it('lookup uses the namespace of the token, and the error names a missing one', async () => {
    const token = await bench.token({ policies: ['default'] }, 'team');
    expect((await bench.open({ method: 'token', token, namespace: 'team' })).state).toBe('active');
    expect((await bench.open({ method: 'token', token }, { namespace: 'team' })).state).toBe('active');
    await expect(bench.open({ method: 'token', token, namespace: 'nope' })).rejects.toMatchObject(
      refusal(/The Vault namespace "nope" does not exist on this server\. Check/, { namespace: 'nope' }),
    );
  });
});

describe('the token of the method "token"', () => {
  let bench: AuthBench;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'auth-token-'));
    bench = await AuthBench.start();
  });
  afterEach(async () => {
    process.env = { ...environment };
    await bench.reset();
  });
  afterAll(async () => {
    await bench.stop();
    await rm(folder, { recursive: true });
  });

  const open = (token?: Credential) => bench.open({ method: 'token', ...(token !== undefined && { token }) });
  const lookedUp = () => bench.sent('auth/token/lookup-self').map(({ headers }) => headers['x-vault-token']);

  it('login with token prefers BAO_TOKEN to VAULT_TOKEN', async () => {
    delete process.env['BAO_TOKEN'];
    process.env['VAULT_TOKEN'] = bench.server.rootToken;
    await open();
    process.env['BAO_TOKEN'] = await bench.token({ id: 'token-of-bao' });
    await open();
    expect(lookedUp()).toEqual([bench.server.rootToken, 'token-of-bao']);
  });

  it('login with token treats an empty BAO_TOKEN as no token', async () => {
    process.env['BAO_TOKEN'] = '';
    process.env['VAULT_TOKEN'] = bench.server.rootToken;
    await expect(open()).rejects.toMatchObject(refusal(/No login method.*VAULT_TOKEN.*"auth"/));
    expect(bench.front.requests).toEqual([]);
  });

  it('login with token strips white space around the token', async () => {
    const file = join(folder, 'token');
    const token = bench.server.rootToken;
    for (const content of [`${token}\n`, `${token}\r\n`, `\n  ${token}\t\n\n`]) {
      await writeFile(file, content);
      await open({ file });
    }
    await open(() => ` ${token}\n`);
    process.env['TOKEN_ELSEWHERE'] = ` ${token} `;
    await open({ env: 'TOKEN_ELSEWHERE' });
    expect(lookedUp()).toEqual(Array(5).fill(token));
  });

  it('login with token reads the token every time', async () => {
    const file = join(folder, 'rotated');
    await writeFile(file, bench.server.rootToken);
    const session = await open({ file });
    await writeFile(file, await bench.token({ id: 'rotated-token', policies: ['default'] }));
    await session.relogin();
    expect(session.policies).toEqual(['default']);
    await session.close();
    expect(bench.sent('revoke-self')).toEqual([]);
  });

  it.each<[string, Credential, RegExp]>([
    ['nothing', '', /is empty/],
    ['white space', ' \n', /is empty/],
    ['white space inside', 'two words', /white space in it/],
    ['two lines', 's.AAAAAAAA\ns.BBBBBBBB', /white space in it/],
    ['a line break that ends a header', 'a\r\nX-Injected: 1', /white space in it/],
    ['a zero byte', 'nul\u0000byte', /characters no token has/],
    ['a control character', 'bell\u0007', /characters no token has/],
    ['letters beyond ASCII', 'tökén', /characters no token has/],
    ['a symbol beyond the basic plane', '\u{1F511}', /characters no token has/],
    ['an unset variable', { env: 'NO_SUCH_VARIABLE_HERE' }, /NO_SUCH_VARIABLE_HERE is not set/],
    ['a missing file', { file: '/no/such/token' }, /cannot read file "\/no\/such\/token" \(ENOENT\)/],
    ['a directory', { file: tmpdir() }, /EISDIR/],
    ['a function that fails', () => Promise.reject(new TypeError('secret inside')), /failed \(TypeError\)/],
    ['a function that returns no text', (() => 7) as never, /is empty/],
    ['a token in double quotes', '"words"', /"auth\.token".*quotes around/],
    ['a token in single quotes and white space', " 'words'\n", /"auth\.token".*quotes around/],
  ])('login with token rejects a token before any request when it is %s', async (_name, token, message) => {
    const error: unknown = await open(token).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(refusal(message));
    expect((error as Error).message).not.toMatch(/words|BBBB|Injected|secret inside/);
    expect(bench.front.requests).toEqual([]);
  });
});
