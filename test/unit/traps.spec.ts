import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import nodeVault from 'node-vault';
import { fixedToken } from '../../lib/client/token-source.js';
import type { VaultClient } from '../../lib/client/vault-client.js';
import { Kv2Engine } from '../../lib/engines/kv2.engine.js';
import { VaultSys } from '../../lib/sys/vault-sys.js';
import { resolveOptions } from '../../lib/boot/resolve-options.js';
import type { FaultHandler, FaultServer } from '../support/fault-server.js';
import { forwardTo, freePort, html, json, redirect, silent, startFaultServer } from '../support/fault-server.js';
import { renderError } from '../support/render-error.js';
import { createClient } from '../support/vault-client.js';

// One test for each trap of node-vault that the seam closes. "stock" is node-vault without it: it shows that the trap is
// there, and so that the test could fail.
const SECRET = {
  data: { data: { a: 1 }, metadata: { version: 1, created_time: '', deletion_time: '', destroyed: false } },
};
const OK = json(200, SECRET);
const HEALTHY = { initialized: true, sealed: false, standby: false };

let server: FaultServer;
let client: VaultClient;
const environment = { ...process.env };

async function serve(answer: FaultHandler): Promise<void> {
  server = await startFaultServer(answer);
  client = await createClient(server.endpoint);
}

const stock = (options: object = {}) => nodeVault({ endpoint: server.endpoint, token: 'session-token', ...options });
const last = () => server.requests.at(-1) as (typeof server.requests)[number];
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

beforeEach(() => serve(OK));
afterEach(async () => {
  process.env = { ...environment };
  await client.close();
  await server.close();
});

describe('what leaks', () => {
  it('T1 an error of a refused connection carries neither token nor body', async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const refused = await createClient(endpoint);
    const ours = await failure(refused.nodeVault.write('auth/approle/x', { secret_id: 'SECRET-ID-1234' }));
    const theirs = await failure(
      nodeVault({ endpoint, token: 'session-token' }).write('auth/approle/x', { secret_id: 'SECRET-ID-1234' }),
    );
    expect(renderError(theirs)).toContain('SECRET-ID-1234');
    expect(ours).toMatchObject({ code: 'VAULT_CONNECTION', reason: 'ECONNREFUSED' });
    expect(renderError(ours)).not.toMatch(/SECRET-ID-1234|session-token/);
    await refused.close();
  });

  it('T7 no proxy of the environment sees a call', async () => {
    const proxy = await startFaultServer(OK);
    process.env['HTTP_PROXY'] = process.env['http_proxy'] = proxy.endpoint;
    delete process.env['NO_PROXY'];
    delete process.env['no_proxy'];
    await stock().read('secret/data/a');
    expect(proxy.requests).toHaveLength(1);
    await client.nodeVault.read('secret/data/a');
    expect(proxy.requests).toHaveLength(1);
    await proxy.close();
  });

  it('T8 a redirect to another host gets no token', async () => {
    const other = await startFaultServer(OK);
    server.answerWith(redirect(`${other.endpoint}/v1/secret/data/a`));
    await stock().read('secret/data/a');
    expect(other.requests[0]?.headers['x-vault-token']).toBe('session-token');
    await expect(client.nodeVault.read('secret/data/a')).rejects.toMatchObject({
      code: 'VAULT_BAD_RESPONSE',
      message: expect.stringContaining(other.endpoint) as unknown,
    });
    expect(other.requests).toHaveLength(1);
    await other.close();
  });

  it('T11 debug output is switched off', async () => {
    const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    const debug = createRequire(import.meta.url)('debug') as { enable(names: string): void; disable(): void };
    debug.enable('node-vault');
    await stock().write('secret/data/a', { password: 'SECRET-IN-DEBUG' });
    expect(JSON.stringify(write.mock.calls)).toContain('SECRET-IN-DEBUG');
    write.mockClear();
    await client.nodeVault.write('secret/data/a', { password: 'SECRET-IN-DEBUG' });
    expect(JSON.stringify(write.mock.calls)).not.toContain('SECRET-IN-DEBUG');
    debug.disable();
    write.mockRestore();
  });

  it('T22 a command without a schema does not send its request options as body', async () => {
    const args = { name: 'k', plaintext: 'cGxhaW4=', requestOptions: { headers: { 'X-Vault-Token': 'other-token' } } };
    await stock().encryptData({ ...args });
    expect(last().body).toContain('requestOptions');
    await client.nodeVault.encryptData(args);
    expect(JSON.parse(last().body)).toEqual({ name: 'k', plaintext: 'cGxhaW4=' });
  });

  it('T24 a login sends no older token along', async () => {
    server.answerWith(json(200, { auth: { client_token: 'new-token' } }));
    await stock().userpassLogin({ username: 'a', password: 'b' });
    expect(last().headers['x-vault-token']).toBe('session-token');
    await client.nodeVault.userpassLogin({ username: 'a', password: 'b' });
    expect(last().headers['x-vault-token']).toBeUndefined();
  });
});

describe('who is asking', () => {
  it('T2 the token of the moment is sent, even with headers in the options', async () => {
    const shared = stock({ requestOptions: { headers: { 'X-Custom': '1' } } });
    await shared.read('a');
    shared.token = 'second-token';
    await shared.read('a');
    expect(last().headers['x-vault-token']).toBe('session-token');

    let token = 'first-token';
    const ours = await (
      await import('../../lib/client/vault-client.js')
    ).createVaultClient(
      { endpoint: server.endpoint, tls: {}, timeoutMs: 5000, connectTimeoutMs: 2000, maxConnections: 1 },
      { acquire: () => fixedToken(token).acquire(), replaceRejected: () => Promise.resolve(undefined) },
    );
    const options = { headers: { 'X-Custom': '1' } };
    await ours.nodeVault.read('a', options);
    token = 'second-token';
    await ours.nodeVault.read('a', options);
    expect(last().headers['x-vault-token']).toBe('second-token');
    expect(options.headers).toEqual({ 'X-Custom': '1' });
    await ours.close();
  });

  it('T13 creating a token or logging in changes nobody’s identity', async () => {
    server.answerWith(json(200, { auth: { client_token: 'child-token' } }));
    const theirs = stock();
    await theirs.tokenCreate();
    expect(theirs.token).toBe('child-token');
    await client.nodeVault.tokenCreate();
    client.nodeVault.token = 'forced';
    await client.nodeVault.read('a');
    expect(last().headers['x-vault-token']).toBe('session-token');
  });

  it('T20 a namespace can be given for one call', async () => {
    const theirs = stock({ namespace: 'fixed' });
    await theirs.read('a', { headers: { 'X-Vault-Namespace': 'wanted' } });
    expect(last().headers['x-vault-namespace']).toBe('fixed');
    process.env['VAULT_NAMESPACE'] = 'of-the-environment';
    const ours = await createClient(server.endpoint, 't', { namespace: 'fixed' });
    await ours.nodeVault.read('a', { headers: { 'X-Vault-Namespace': 'wanted' } });
    expect(last().headers['x-vault-namespace']).toBe('wanted');
    await ours.request({ method: 'GET', path: 'a', namespace: '' });
    expect(last().headers['x-vault-namespace']).toBeUndefined();
    await ours.request({ method: 'GET', path: 'a' });
    expect(last().headers['x-vault-namespace']).toBe('fixed');
    await ours.close();
  });

  it('T21, T23 every call says X-Vault-Request, PATCH too', async () => {
    await stock().read('a');
    expect(last().headers['x-vault-request']).toBeUndefined();
    await client.nodeVault.read('a');
    expect(last().headers['x-vault-request']).toBe('true');
    await client.nodeVault.update('a', { b: 1 });
    expect(last()).toMatchObject({
      method: 'PATCH',
      headers: { 'x-vault-request': 'true', 'content-type': 'application/merge-patch+json' },
    });
  });

  it('T30 a wrapping token can be the token of the call', async () => {
    await client.nodeVault.unwrap({ requestOptions: { headers: { 'X-Vault-Token': 'wrapping-token' } } });
    expect(last().headers['x-vault-token']).toBe('wrapping-token');
  });
});

describe('the way there', () => {
  it('T6 an abort signal and a deadline of a call are honoured', async () => {
    server.answerWith(silent());
    const controller = new AbortController();
    const aborted = failure(client.nodeVault.read('a', { signal: controller.signal }));
    await server.until(() => server.requests.length > 0);
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'VAULT_ABORTED' });
    expect(await failure(client.nodeVault.read('a', { timeoutMs: 50 }))).toMatchObject({ code: 'VAULT_TIMEOUT' });
  });

  it('T9 connections are kept alive and limited', async () => {
    for (let read = 0; read < 20; read++) await client.nodeVault.read('a');
    // undici's pool may open a second one while the first is still being given back.
    expect(server.totalConnections).toBeLessThanOrEqual(2);
    await Promise.all(Array.from({ length: 60 }, () => client.nodeVault.read('a')));
    expect(server.peakConnections).toBeLessThanOrEqual(4);
  });

  it('T10 VAULT_SKIP_VERIFY=false verifies, and nonsense is refused', async () => {
    const tls = async (value: string) => {
      process.env['VAULT_SKIP_VERIFY'] = value;
      return (await resolveOptions({ endpoint: 'https://localhost:1', auth: { method: 'none' } })).transport.tls
        .rejectUnauthorized;
    };
    expect([
      await tls('false'),
      await tls('0'),
      await tls('F'),
      await tls('1'),
      await tls('true'),
      await tls(''),
    ]).toEqual([true, true, true, false, false, true]);
    await expect(tls('nope')).rejects.toMatchObject({ code: 'VAULT_INVALID_OPTION' });
  });

  it('T12 a server that never answers is left after the deadline, without being told one', async () => {
    server.answerWith(silent());
    const ours = await createClient(server.endpoint, 't', { timeoutMs: 100 });
    await expect(ours.nodeVault.read('a')).rejects.toMatchObject({ code: 'VAULT_TIMEOUT' });
    await server.until(() => server.connections === 0);
    expect(
      (await resolveOptions({ endpoint: 'https://localhost:1', auth: { method: 'none' } })).transport.timeoutMs,
    ).toBe(15_000);
    await ours.close();
  });

  it('T17 paths cannot be steered by names', async () => {
    await failure(stock().userpassLogin({ username: '../../../sys/seal', password: 'x' }));
    expect(last().url).toBe('/v1/sys/seal');
    const before = server.requests.length;
    for (const username of ['../../../sys/seal', "o'brien", 'a?b#c', 'a b']) {
      expect(await failure(client.nodeVault.userpassLogin({ username, password: 'x' }))).toMatchObject({
        code: expect.stringMatching(/INVALID_PATH/) as unknown,
      });
    }
    expect(await failure(client.nodeVault.read('secret/data/../../sys/mounts'))).toMatchObject({
      code: 'VAULT_INVALID_PATH',
    });
    expect(await failure(client.nodeVault.read('secret/data/%2e%2e/x'))).toMatchObject({ code: 'VAULT_INVALID_PATH' });
    expect(server.requests).toHaveLength(before);
    await new Kv2Engine(client).read("o'brien & 100% #1?");
    expect(last().url).toBe("/v1/secret/data/o'brien%20%26%20100%25%20%231%3F");
  });

  it('T25 lists are asked with GET, which every parser takes', async () => {
    const theirs = await failure(stock().list('secret/metadata'));
    expect(theirs).toBeDefined();
    server.answerWith(json(200, { data: { keys: ['a'] } }));
    await client.nodeVault.list('secret/metadata');
    expect(last()).toMatchObject({ method: 'GET', url: '/v1/secret/metadata?list=true' });
    await client.nodeVault.approleRoles();
    expect(last()).toMatchObject({ method: 'GET', url: '/v1/auth/approle/role?list=true' });
  });
});

describe('what comes back', () => {
  it('T18 health tells states apart, refuses a load balancer, and is only health', async () => {
    const sys = new VaultSys(client, createClient);
    for (const [status, state] of [
      [200, 'active'],
      [429, 'standby'],
      [472, 'dr-secondary'],
      [473, 'performance-standby'],
    ] as const) {
      server.answerWith(json(status, HEALTHY));
      expect(await sys.health()).toMatchObject({ state, statusCode: status });
    }
    server.answerWith(html(503, '<html>lb'));
    expect(await stock().health()).toBe('<html>lb');
    await expect(sys.health()).rejects.toMatchObject({ code: expect.stringMatching(/^VAULT_/) as unknown });
    await expect(client.nodeVault.health()).rejects.toMatchObject({
      code: expect.stringMatching(/^VAULT_/) as unknown,
    });
    server.answerWith(json(404, { errors: [] }));
    expect(await stock().read('secret/data/sys/health')).toEqual({ errors: [] });
    await expect(client.nodeVault.read('secret/data/sys/health')).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
  });

  it('T19 a page with status 200 is an error here, not a string somewhere else', async () => {
    server.answerWith(html());
    expect(await stock().read('a')).toBe('<html>login</html>');
    await expect(client.nodeVault.read('a')).rejects.toMatchObject({
      code: 'VAULT_BAD_RESPONSE',
      message: expect.stringContaining('endpoint') as unknown,
    });
  });

  it('T26 a deleted version is not an absent path', async () => {
    const metadata = { version: 3, deletion_time: '2026-01-01T00:00:00Z', destroyed: false };
    server.answerWith(json(404, { data: { data: null, metadata } }));
    await expect(client.nodeVault.read('secret/data/a')).rejects.toMatchObject({
      code: 'VAULT_DELETED_VERSION',
      version: 3,
      destroyed: false,
    });
    server.answerWith(json(404, { errors: [] }));
    await expect(client.nodeVault.read('secret/data/a')).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
  });

  it('T27 KV v2 has its calls, on any mount', async () => {
    const kv = new Kv2Engine(client, 'team/kv');
    await kv.read('a');
    expect(last().url).toBe('/v1/team/kv/data/a');
    await kv.undelete('a', [1, 2]);
    expect(last()).toMatchObject({ method: 'POST', url: '/v1/team/kv/undelete/a' });
    expect(JSON.parse(last().body)).toEqual({ versions: [1, 2] });
  });

  it('T3, T4, T5 its renewal timers cannot be started', () => {
    expect(() => client.nodeVault.startTokenRenewal()).toThrow(/keeps tokens and leases alive/);
    expect(() => client.nodeVault.startLeaseRenewal('id', 1)).toThrow(/keeps tokens and leases alive/);
  });
});

describe('the seam itself', () => {
  it('passes on to a server what the stock client would', async () => {
    const front = await startFaultServer(forwardTo(server.endpoint));
    const ours = await createClient(front.endpoint);
    await ours.nodeVault.read('secret/data/a');
    expect(last()).toMatchObject({ method: 'GET', url: '/v1/secret/data/a' });
    await ours.close();
    await front.close();
  });
});
