import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startVaultServer } from '../../lib/testing/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { findSlapd, startLdapServer } from '../support/ldap-server.js';
import type { LdapImplementation, LdapServer } from '../support/ldap-server.js';
import { until } from '../support/until.js';

interface LoginAnswer {
  status: number;
  auth?: { client_token: string; policies: string[]; metadata: { username: string } };
  errors?: string[];
}

// Where slapd is not installed only the library can be tried; CI installs it, so there its absence is a failure.
const slapdExpected = findSlapd() !== undefined || process.env['CI'] !== undefined;

let vault: VaultServer;
beforeAll(async () => {
  vault = await startVaultServer();
});
afterAll(() => vault.stop());

function supportFile(name: string): string {
  return new URL(`../support/${name}`, import.meta.url).href;
}

async function connect(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = createConnection(Number(port), hostname);
  await once(socket, 'connect');
  return socket.on('error', () => undefined).resume();
}

async function login(mount: string, user: string, password: string): Promise<LoginAnswer> {
  const { status, body } = await vault.request(
    'POST',
    `auth/${mount}/login/${encodeURIComponent(user)}`,
    { password },
    { token: '', throwOnError: false },
  );
  return { status, ...(body as object) };
}

describe.each<LdapImplementation>(['slapd', 'library'])('LDAP server: %s', (implementation) => {
  if (implementation === 'slapd' && !slapdExpected) {
    it.skip('is not tested: slapd is not installed on this machine', () => undefined);
    return;
  }
  const mount = `ldap-${implementation}`;
  let ldap: LdapServer;

  beforeAll(async () => {
    ldap = await startLdapServer({ implementation });
    await vault.request('POST', `sys/auth/${mount}`, { type: 'ldap' });
    await configure({});
    await vault.request('POST', `auth/${mount}/groups/developers`, { policies: 'read-code' });
    await vault.request('POST', `auth/${mount}/groups/operators`, { policies: 'restart-things' });
  });
  afterAll(() => ldap.stop());

  const configure = (changes: object): Promise<unknown> =>
    vault.request('POST', `auth/${mount}/config`, {
      url: ldap.url,
      binddn: ldap.bindDn,
      bindpass: ldap.bindPassword,
      userdn: ldap.userDn,
      userattr: ldap.userAttribute,
      groupdn: ldap.groupDn,
      groupattr: ldap.groupAttribute,
      ...changes,
    });

  it('is what was asked for', () => {
    expect(ldap.implementation).toBe(implementation);
    expect(ldap.url).toMatch(/^ldap:\/\/127\.0\.0\.1:\d+$/);
  });

  it.each([
    ['alice', ['default', 'read-code', 'restart-things']],
    ['bob', ['default', 'restart-things']],
    ['carol', ['default']],
    ["o'brien", ['default', 'read-code']],
  ])('lets %s in, with policies from the groups: %j', async (user, policies) => {
    const answer = await login(mount, user, ldap.users[user]?.password ?? '');
    expect(answer).toMatchObject({ status: 200, auth: { policies, metadata: { username: user } } });
    expect(answer.auth?.client_token).toBeTruthy();
  });

  it.each([
    ['a wrong password', 'alice', 'wrong'],
    ['an empty password', 'alice', ''],
    ['an unknown user', 'mallory', 'wrong'],
    ['a wildcard for a name', '*', 'wrong'],
  ])('refuses %s', async (_name, user, password) => {
    const answer = await login(mount, user, password);
    expect(answer.status).toBe(400);
    expect(answer.auth).toBeUndefined();
    expect(JSON.stringify(answer.errors)).toMatch(/ldap|password/);
  });

  it("refuses one user's password for another", async () => {
    expect((await login(mount, 'alice', ldap.users['bob']?.password ?? '')).status).toBe(400);
  });

  it('answers searches of the service account only', async () => {
    const password = ldap.users['alice']?.password ?? '';
    try {
      await configure({ binddn: ldap.users['alice']?.dn, bindpass: password });
      expect((await login(mount, 'alice', password)).status).toBe(400);
      await configure({ bindpass: 'wrong' });
      expect((await login(mount, 'alice', password)).status).toBe(400);
    } finally {
      await configure({});
    }
    expect((await login(mount, 'alice', password)).status).toBe(200);
  });

  it('takes users of our own, several servers at once, and is gone after stop()', async () => {
    const other = await startLdapServer({
      implementation,
      users: { dora: { password: 'given', groups: ['operators'] } },
    });
    try {
      await configure({ url: other.url, bindpass: other.bindPassword });
      expect(await login(mount, 'dora', 'given')).toMatchObject({ auth: { policies: ['default', 'restart-things'] } });
      expect((await login(mount, 'alice', ldap.users['alice']?.password ?? '')).status).toBe(400);
      await other.stop();
      await other.stop();
      await expect(connect(other.url)).rejects.toThrow('ECONNREFUSED');
      expect((await login(mount, 'dora', 'given')).status).toBe(400);
    } finally {
      await other.stop();
      await configure({});
    }
  });
  it('does not outlive a process that is killed, nor do its files', async () => {
    const temporary = await mkdtemp(join(tmpdir(), 'ldap-orphan-'));
    const program = `
      import { startLdapServer } from '${supportFile('ldap-server.ts')}';
      console.log((await startLdapServer({ implementation: '${implementation}' })).url);
      setInterval(() => undefined, 1000);`;
    const parent = spawn(
      process.execPath,
      ['--import', supportFile('typescript-loader.mjs'), '--input-type=module', '--eval', program],
      { env: { ...process.env, TMPDIR: temporary }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      const [url] = (await once(parent.stdout, 'data')) as [Buffer];
      const connection = await connect(url.toString());
      expect(await readdir(temporary)).toHaveLength(1);
      // Not once(): a connection that the server has not accepted yet is reset when it is killed.
      const closed = new Promise((resolve) => connection.once('close', resolve));
      parent.kill('SIGKILL');
      await closed;
      await until(async () => (await readdir(temporary)).length === 0);
    } finally {
      parent.kill('SIGKILL');
      await rm(temporary, { recursive: true, force: true });
    }
  });
});

it('takes slapd where it is installed, else the library', async () => {
  const ldap = await startLdapServer({ users: {} });
  await ldap.stop();
  expect(ldap.implementation).toBe(findSlapd() === undefined ? 'library' : 'slapd');
});
