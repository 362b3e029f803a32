import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { json } from '../support/fault-server.js';
import { AuthBench } from '../support/auth-bench.js';
import type { LdapServer } from '../support/ldap-server.js';
import { findSlapd, startLdapServer } from '../support/ldap-server.js';
import { startRadiusServer } from '../support/radius-server.js';

const environment = { ...process.env };
const PASSWORD = 'correct horse';
/** Names that mean something to a path, a query, a filter or a distinguished name. */
const AWKWARD = ["o'brien", 'a.b-c_d', 'first last', '100%', 'a&b', 'a@b.example'];
const MORE_AWKWARD = ['ünïcode', '用户', 'hash#tag', 'a%2Fb', 'q?x=1', '"quoted"', 'DOM\\user', '(cn=*)', 'a+b', 'a,b', 'semi;colon']; // prettier-ignore
// The library that stands in for slapd where that is not installed cannot find these entries again.
const USERS = findSlapd() === undefined ? AWKWARD : [...AWKWARD, ...MORE_AWKWARD];

let bench: AuthBench;
let ldap: LdapServer;
let folder: string;

const refusal = (message: RegExp, more: object = {}) => ({
  code: 'VAULT_AUTHENTICATION',
  message: expect.stringMatching(message) as unknown,
  ...more,
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'auth-password-'));
  [bench, ldap] = await Promise.all([
    AuthBench.start(),
    startLdapServer({
      users: Object.fromEntries(['alice', ...USERS].map((name) => [name, { password: PASSWORD, groups: ['staff'] }])),
    }),
  ]);
  const { server } = bench;
  for (const [mount, type] of Object.entries({
    userpass: 'userpass',
    approle: 'approle',
    ldap: 'ldap',
    'corp/people': 'ldap',
  }))
    await server.request('POST', `sys/auth/${mount}`, { type });
  await server.request('POST', 'auth/userpass/users/alice', { password: PASSWORD, token_policies: 'read-mail' });
  for (const mount of ['ldap', 'corp/people']) {
    await server.request('POST', `auth/${mount}/config`, {
      url: ldap.url,
      binddn: ldap.bindDn,
      bindpass: ldap.bindPassword,
      userdn: ldap.userDn,
      userattr: ldap.userAttribute,
      groupdn: ldap.groupDn,
      groupattr: ldap.groupAttribute,
    });
    await server.request('POST', `auth/${mount}/groups/staff`, { policies: `staff-of-${mount.replace('/', '-')}` });
  }
}, 60_000);
afterEach(async () => {
  process.env = { ...environment };
  await bench.reset();
});
afterAll(async () => {
  await bench.stop();
  await ldap.stop();
  await rm(folder, { recursive: true });
});

describe('userpass', () => {
  const open = (username: string, password: string, more: object = {}) =>
    bench.open({ method: 'userpass', username, password, ...more });

  it('login with userpass sends no token', async () => {
    process.env['VAULT_TOKEN'] = bench.server.rootToken;
    const session = await open('alice', PASSWORD);
    expect(session.policies).toEqual(['default', 'read-mail']);
    expect(bench.front.requests.map(({ url, headers }) => [url, headers['x-vault-token']])).toEqual([
      ['/v1/auth/userpass/login/alice', undefined],
    ]);
  });

  it('login with userpass keeps white space around a password, and strips trailing line breaks', async () => {
    await bench.server.request('POST', 'auth/userpass/users/spacious', { password: ' p w ' });
    await open('spacious', ' p w ');
    const file = join(folder, 'password');
    for (const content of [' p w ', ' p w \n', ' p w \r\n']) {
      await writeFile(file, content);
      await bench.open({ method: 'userpass', username: 'spacious', password: { file } });
    }
    await expect(open('spacious', 'p w')).rejects.toMatchObject(refusal(/invalid username or password/));
  });

  it('login with userpass error mentions a locked user', async () => {
    await bench.server.request('POST', 'auth/userpass/users/locked', { password: PASSWORD });
    for (let attempt = 0; attempt < 5; attempt++) await expect(open('locked', 'wrong')).rejects.toThrow();
    await expect(open('locked', PASSWORD)).rejects.toMatchObject(refusal(/locks the user/, { statusCode: 403 }));
  });

  it('login with userpass accepts quotes in a password, and mentions them after a rejection', async () => {
    await expect(open('alice', `"${PASSWORD}"`)).rejects.toMatchObject(refusal(/password has quotes around it/));
    await bench.server.request('POST', 'auth/userpass/users/quoted', { password: '"p w"' });
    expect((await open('quoted', '"p w"')).state).toBe('active');
  });

  it.each([
    ['a wrong password', 'alice', 'wrong', {}, /invalid username or password.*"auth\.username" and "auth\.password"/],
    ['an unknown user', 'nobody', 'wrong', {}, /invalid username or password/],
    [
      'a mount where nothing is',
      'alice',
      PASSWORD,
      { mountPath: 'nowhere' },
      /of type "userpass" is enabled at "nowhere" \(option "auth\.mountPath"; "bao auth list" shows them\)/,
    ],
    [
      'a mount of another method',
      'alice',
      PASSWORD,
      { mountPath: 'approle' },
      /of type "userpass" is enabled at "approle"/,
    ],
    [
      'auth/ typed by habit',
      'alice',
      PASSWORD,
      { mountPath: 'auth/userpass' },
      /"auth\/" is added by the module: write mountPath "userpass"/,
    ],
    [
      'a namespace that does not exist',
      'alice',
      PASSWORD,
      { namespace: 'nope' },
      /namespace not found.*The Vault namespace "nope" does not exist on this server\. Check "auth\.namespace"/,
    ],
    ['a name the method does not know how to spell', 'a b', PASSWORD, {}, /unsupported path/],
  ])('login with userpass error advises what to check: %s', async (_name, username, password, more, message) => {
    const error: unknown = await open(username, password, more).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(refusal(message));
    // The advice for ordinary paths would lead astray.
    expect((error as Error).message).not.toMatch(/policies do not allow|Nothing is stored/);
  });

  it.each(['..', '.', 'a/b', '../../sys/seal', 'nul\u0000'])(
    'login with userpass rejects the user name %j before any request',
    async (name) => {
      await expect(open(name, PASSWORD)).rejects.toMatchObject({
        code: expect.stringMatching(/^VAULT_(INVALID_PATH|AUTHENTICATION)$/) as unknown,
        message: expect.stringContaining('auth.username') as unknown,
      });
      expect(bench.front.requests).toEqual([]);
    },
  );

  it.each([
    {},
    { auth: null },
    { auth: {} },
    { auth: { client_token: '' } },
    { auth: { client_token: 'two words' } },
    { data: {} },
  ])('login with userpass rejects the response %j', async (body) => {
    bench.front.answerWith(json(200, body));
    await expect(open('alice', PASSWORD)).rejects.toMatchObject({ code: 'VAULT_AUTHENTICATION' });
  });
});

describe('ldap', () => {
  it('login with ldap reads LDAP_USERNAME and LDAP_PASSWORD, and uses the mount "ldap"', async () => {
    process.env['LDAP_USERNAME'] = 'alice';
    process.env['LDAP_PASSWORD'] = PASSWORD;
    expect((await bench.open({ method: 'ldap' })).policies).toEqual(['default', 'staff-of-ldap']);
    process.env['LDAP_PASSWORD'] = 'rotated, but not in the directory';
    await expect(bench.open({ method: 'ldap' })).rejects.toMatchObject(refusal(/log in with ldap \(auth\/ldap\)/));
  });

  it('login with ldap prefers the options, and uses the configured mount', async () => {
    process.env['LDAP_USERNAME'] = 'nobody';
    process.env['LDAP_PASSWORD'] = 'wrong';
    const session = await bench.open({
      method: 'ldap',
      username: 'alice',
      password: () => PASSWORD,
      mountPath: 'corp/people',
    });
    expect(session.policies).toEqual(['default', 'staff-of-corp-people']);
  });

  it.each(['LDAP_USERNAME', 'LDAP_PASSWORD'])('login with ldap error names %s when it is not set', async (missing) => {
    process.env['LDAP_USERNAME'] = 'alice';
    process.env['LDAP_PASSWORD'] = PASSWORD;
    delete process.env[missing];
    await expect(bench.open({ method: 'ldap' })).rejects.toMatchObject(refusal(new RegExp(`${missing} is not set`)));
    expect(bench.front.requests).toEqual([]);
  });

  it.each(USERS)('login with ldap accepts %s and encodes the user name as one segment', async (username) => {
    const session = await bench.open({ method: 'ldap', username, password: PASSWORD });
    expect(session.policies).toEqual(['default', 'staff-of-ldap']);
    const [request] = bench.front.requests;
    expect(request?.url).toBe(`/v1/auth/ldap/login/${encodeURIComponent(username)}`);
  });

  it('login with ldap error reports an unreachable directory', async () => {
    const gone = await startLdapServer({ users: {} });
    await gone.stop();
    await bench.server.request('POST', 'sys/auth/ldap-gone', { type: 'ldap' });
    await bench.server.request('POST', 'auth/ldap-gone/config', { url: gone.url, userdn: gone.userDn });
    await expect(
      bench.open({ method: 'ldap', mountPath: 'ldap-gone', username: 'alice', password: PASSWORD }),
    ).rejects.toMatchObject(refusal(/log in with ldap \(auth\/ldap-gone\)/));
  });
});

describe('radius', () => {
  it('login with radius distinguishes a rejection from an unreachable server', async () => {
    const radius = await startRadiusServer({ alice: PASSWORD, 'a.b-c_d': 'p ä"&' });
    const { server } = bench;
    await server.request('POST', 'sys/auth/net', { type: 'radius' });
    const { port, secret } = radius;
    const config = { host: '127.0.0.1', port, secret, read_timeout: 1, unregistered_user_policies: 'of-net' };
    await server.request('POST', 'auth/net/config', config);
    const open = (username: string, password: string) =>
      bench.open({ method: 'radius', mountPath: 'net', username, password });
    expect((await open('alice', PASSWORD)).policies).toEqual(['default', 'of-net']);
    expect((await open('a.b-c_d', 'p ä"&')).policies).toEqual(['default', 'of-net']);
    await expect(open('alice', 'wrong')).rejects.toMatchObject(
      refusal(/log in with radius \(auth\/net\).*access denied.*"auth\.username" and "auth\.password"/),
    );
    await radius.close();
    await expect(open('alice', PASSWORD)).rejects.toMatchObject(refusal(/log in with radius/));
  });
});

// OpenBao has neither method, so what Vault's documentation shows is all there is to test against.
describe('okta and github, against a simulated Vault', () => {
  const auth = { client_token: 'hvs.of-the-stand-in', policies: ['staff'], lease_duration: 60, renewable: true };
  const sent = () => bench.front.requests.map(({ method, url, body }) => [method, url, JSON.parse(body) as unknown]);

  it('login with okta and github sends what Vault expects', async () => {
    process.env['VAULT_AUTH_GITHUB_TOKEN'] = 'ghp-of-alice';
    bench.front.answerWith(json(200, { auth }));
    const okta = { method: 'okta', username: 'a@b.example', password: PASSWORD } as const;
    for (const login of [
      okta,
      { ...okta, mountPath: 'corp/okta', totp: () => '123456', provider: 'GOOGLE' },
      { method: 'github' },
      { method: 'github', mountPath: 'gh', token: () => 'ghp-of-bob' },
    ] as const)
      expect((await bench.open(login)).policies).toEqual(['staff']);
    expect(sent()).toEqual([
      ['POST', '/v1/auth/okta/login/a%40b.example', { password: PASSWORD }],
      ['POST', '/v1/auth/corp/okta/login/a%40b.example', { password: PASSWORD, totp: '123456', provider: 'GOOGLE' }],
      ['POST', '/v1/auth/github/login', { token: 'ghp-of-alice' }],
      ['POST', '/v1/auth/gh/login', { token: 'ghp-of-bob' }],
    ]);
  });

  it('login with okta and github error advises what to check', async () => {
    bench.front.answerWith(json(400, { errors: ['okta auth failed'] }));
    await expect(bench.open({ method: 'okta', username: 'a', password: 'p' })).rejects.toMatchObject(
      refusal(/okta auth failed.*"auth\.username" and "auth\.password"/),
    );
    bench.front.answerWith(json(400, { errors: ['user is not part of required org'] }));
    const refused = bench.open({ method: 'github', token: 'ghp-of-a-stranger' });
    await expect(refused).rejects.toMatchObject(refusal(/not part of required org.*Check "auth\.token".*read:org/));
    bench.front.requests.length = 0;
    await expect(bench.open({ method: 'github' })).rejects.toMatchObject(refusal(/VAULT_AUTH_GITHUB_TOKEN is not set/));
    await expect(bench.open({ method: 'okta', username: 'a', password: 'p', totp: '' })).rejects.toMatchObject(
      refusal(/"auth\.totp" is empty/),
    );
    expect(bench.front.requests).toEqual([]);
  });
});
