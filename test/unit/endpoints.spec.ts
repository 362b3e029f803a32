import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { resolveOptions } from '../../lib/boot/resolve-options.js';
import type { VaultError } from '../../lib/index.js';
import type { ClientOptions } from '../../lib/client/client-options.js';
import type { VaultClient } from '../../lib/client/vault-client.js';
import type { RequestObserver } from '../../lib/client/request-pipeline.js';
import type { VaultRequest } from '../../lib/client/vault-request.js';
import { createCertificates } from '../../lib/testing/index.js';
import { canary, findLeaks, renderError } from '../support/canary.js';
import type { FaultHandler, FaultServer, FaultServerOptions } from '../support/fault-server.js';
import * as fault from '../support/fault-server.js';
import { createClient } from '../support/vault-client.js';

const TOKEN = canary('token');
const OK = fault.json(200, { data: {} });
const NO_LEADER = fault.vaultError(500, ['local node not active but active cluster node not found']);
const READ: VaultRequest = { method: 'GET', path: 'secret/data/a' };
const WRITE: VaultRequest = { method: 'POST', path: 'secret/data/a', body: { data: {} } };

/** A server of a cluster: what it says of its health, and what it does with a call. */
interface Node extends FaultServer {
  health: FaultHandler;
  calls: FaultHandler;
  /** Calls received, without health checks. */
  readonly asked: number;
}

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  for (const end of cleanUp.splice(0).reverse()) await end();
});

async function startNode(
  status: number | FaultHandler = 200,
  calls: FaultHandler = OK,
  options: FaultServerOptions = {},
): Promise<Node> {
  const server = await fault.startFaultServer(
    (request, response) => (isHealth(request) ? node.health : node.calls)(request, response),
    options,
  );
  const health = typeof status === 'number' ? fault.json(status, {}) : status;
  const node = Object.defineProperties(Object.assign(Object.create(server) as Node, { health, calls }), {
    asked: { get: () => server.requests.filter((request) => !isHealth(request)).length },
  });
  cleanUp.push(() => server.close());
  return node;
}

const isHealth = ({ url }: { url: string }): boolean => url.endsWith('/v1/sys/health');

async function connect(
  nodes: readonly (string | { readonly endpoint: string })[],
  options: Partial<ClientOptions> & RequestObserver = {},
): Promise<VaultClient> {
  const [first = '', ...otherEndpoints] = nodes.map((node) => (typeof node === 'string' ? node : node.endpoint));
  const client = await createClient(first, TOKEN, { retries: 2, otherEndpoints, ...options });
  cleanUp.push(() => client.close());
  return client;
}

const nowhere = async (): Promise<string> => `http://127.0.0.1:${await fault.freePort()}`;

async function failureOf(call: Promise<unknown>): Promise<VaultError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  expect(findLeaks(renderError(error))).toEqual([]);
  return error as VaultError;
}

describe('the server that is found', () => {
  it.each([
    ['the active one, wherever it is in the list', [429, 200], [0, 1]],
    ['the active one rather than a performance standby', [473, 200], [0, 1]],
    ['a standby if there is no other', [503, 429], [0, 1]],
    ['a performance standby if there is no other', [472, 473], [0, 1]],
    ['none that is sealed', [503, 200], [0, 1]],
    ['none that is not initialized', [501, 200], [0, 1]],
    ['none that only replicates for disasters', [472, 200], [0, 1]],
    ['none whose health fails', [500, 200], [0, 1]],
  ])('%s', async (_, statuses, calls) => {
    const nodes = await Promise.all(statuses.map((status) => startNode(status)));
    const client = await connect(nodes);
    await client.request(READ);
    expect(nodes.map(({ asked }) => asked)).toEqual(calls);
    expect(client.endpoint).toBe(nodes[1]?.endpoint);
  });

  it('is kept, and the others are left in peace', async () => {
    const [a, b] = [await startNode(429), await startNode(200)];
    const client = await connect([a, b]);
    await Promise.all(Array.from({ length: 20 }, () => client.request(READ)));
    await client.request(WRITE);
    expect([a.asked, b.asked]).toEqual([0, 21]);
    expect([a.requests.length, b.requests.length]).toEqual([1, 22]);
    expect(a.requests[0]?.headers).not.toHaveProperty('x-vault-token');
  });

  it('is left for an active one that comes up later', async () => {
    const [a, b] = [await startNode(429), await startNode(503)];
    const moves: string[] = [];
    const client = await connect([a, b], { onEndpointChanged: (endpoint) => moves.push(endpoint) });
    await client.request(READ);
    b.health = fault.json(200, {});
    const now = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + 11_000);
    // The look around happens beside the call.
    await client.request(READ);
    await b.until(() => b.requests.length === 2);
    while (client.endpoint === a.endpoint) await client.request(READ);
    await client.request(READ);
    expect(moves).toEqual([b.endpoint]);
    expect(b.asked).toBe(1);
  });

  it('with one server nothing is looked for', async () => {
    const node = await startNode(503);
    const client = await connect([node]);
    await client.request(READ);
    expect(node.requests).toHaveLength(1);
  });
});

describe('a server that fails', () => {
  it.each([
    ['dies', 'read', true, (node: Node) => node.close()],
    ['dies', 'write', true, (node: Node) => node.close()],
    ['hangs up', 'read', true, (node: Node) => (node.calls = fault.hangUp())],
    ['hangs up', 'write', false, (node: Node) => (node.calls = fault.hangUp())],
    ['is sealed', 'write', true, (node: Node) => (node.calls = fault.sealed())],
    ['has no leader', 'write', true, (node: Node) => (node.calls = NO_LEADER)],
    ['goes silent', 'read', true, (node: Node) => (node.calls = node.health = fault.silent())],
    ['goes silent', 'write', false, (node: Node) => (node.calls = node.health = fault.silent())],
    ['is a secondary now', 'write', true, (node: Node) => (node.calls = fault.vaultError(472))],
    ['cannot serve this', 'read', true, (node: Node) => (node.calls = fault.vaultError(473))],
    ['answers 502', 'read', true, (node: Node) => (node.calls = fault.html(502))],
    ['answers 502', 'write', false, (node: Node) => (node.calls = fault.html(502))],
  ] as const)('%s: another takes over for a %s: %s', async (_, method, moved, fail) => {
    const request = method === 'read' ? READ : WRITE;
    const [a, b] = [await startNode(200), await startNode(429)];
    const client = await connect([a, b], { timeoutMs: 1500 });
    await client.request(READ);
    await fail(a);
    const outcome = await client.request(request).then(
      () => true,
      () => false,
    );
    expect([outcome, b.asked]).toEqual(moved ? [true, 1] : [false, 0]);
    // Later calls do not try it again.
    const before = a.asked;
    await client.request(READ);
    expect(client.endpoint).toBe(b.endpoint);
    expect(a.asked).toBe(before);
  });

  it.each([
    ['a refusal', fault.vaultError(403, ['permission denied'])],
    ['an absence', fault.vaultError(404)],
    ['a quota', fault.rateLimited(0)],
    ['a failure of the engine', fault.vaultError(500, ['cannot connect to database'])],
  ])('%s is no reason to leave', async (_, calls) => {
    const [a, b] = [await startNode(200, calls), await startNode(429)];
    const client = await connect([a, b], { retries: 1, timeoutMs: 600 });
    await failureOf(client.request(READ));
    expect(b.asked).toBe(0);
  });

  it('that comes back takes its calls when the other one goes', async () => {
    const [a, b] = [await startNode(200), await startNode(429)];
    const client = await connect([a, b]);
    await client.request(READ);
    const { port } = a;
    await a.close();
    await client.request(READ);
    const again = await startNode(200, OK, { port });
    await b.close();
    await client.request(READ);
    expect(again.asked).toBe(1);
  });

  it('one whose certificate is bad is passed over; if all are bad, that is the error, at once', async () => {
    const [good, bad] = [await createCertificates(), await createCertificates()];
    const a = await startNode(200, OK, { tls: { cert: bad.cert, key: bad.key } });
    const b = await startNode(200, OK, { tls: { cert: good.cert, key: good.key } });
    const client = await connect([a, b], { tls: { ca: [good.ca] } });
    await client.request(READ);
    expect(b.asked).toBe(1);
    const suspicious = await connect([a, b], { timeoutMs: 60_000 });
    const error = await failureOf(suspicious.request(READ));
    expect(error).toMatchObject({ code: 'VAULT_TLS' });
    for (const { endpoint } of [a, b]) expect(error.message).toContain(endpoint);
  });
});

describe('when none works', () => {
  it('all sealed is told at once, and names them all', async () => {
    const nodes = await Promise.all([503, 503, 503].map((status) => startNode(status, fault.sealed())));
    const client = await connect(nodes, { timeoutMs: 60_000 });
    const error = await failureOf(client.request(WRITE));
    expect(error).toMatchObject({ code: 'VAULT_SEALED' });
    for (const { endpoint } of nodes) expect(error.message).toContain(endpoint);
    expect(nodes.map(({ asked }) => asked)).toEqual([1, 1, 1]);
    // And is forgotten as soon as one is open.
    Object.assign(nodes[1] as Node, { health: fault.json(200, {}), calls: OK });
    await client.request(WRITE);
    expect(client.endpoint).toBe(nodes[1]?.endpoint);
  });

  it('calls fail at their deadline and not before, and name them all', async () => {
    const [a, b] = [await nowhere(), await nowhere()];
    const client = await connect([a, b], { timeoutMs: 700 });
    const started = performance.now();
    const error = await failureOf(client.request(READ));
    expect(performance.now() - started).toBeGreaterThanOrEqual(600);
    expect(error.retryable).toBe(true);
    for (const endpoint of [a, b]) expect(error.message).toContain(endpoint);
  });

  it('without retries each is asked once at most', async () => {
    const nodes = [await startNode(200, fault.html(502)), await startNode(429, fault.html(502))];
    const client = await connect(nodes, { retries: 0 });
    expect(await failureOf(client.request(READ))).toMatchObject({ code: 'VAULT_SERVER', statusCode: 502 });
    expect(nodes.map(({ asked }) => asked)).toEqual([1, 1]);
  });

  it('waiting ends when the caller aborts, or the client closes', async () => {
    const client = await connect([await nowhere(), await nowhere()], { timeoutMs: 60_000 });
    const controller = new AbortController();
    const aborted = failureOf(client.request({ ...READ, signal: controller.signal }));
    const closed = failureOf(client.request(READ));
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'VAULT_ABORTED' });
    await client.close();
    expect(await closed).toMatchObject({ code: 'VAULT_CLOSED' });
  });

  it('the first one back gets one call alone, then all: no call is lost, and nobody storms it', async () => {
    const [a, b] = [await startNode(200), await startNode(429)];
    const client = await connect([a, b], { timeoutMs: 20_000, maxConnections: 50 });
    await client.request(READ);
    await Promise.all([a.close(), b.close()]);
    const calls = Promise.all(Array.from({ length: 50 }, () => client.request(READ)));
    // Long enough for every call to have failed at least once and to wait.
    await failureOf(client.request({ ...READ, timeoutMs: 600 }));
    let release = (): void => undefined;
    const trial = new Promise<void>((resolve) => (release = resolve));
    const back = await startNode(
      200,
      async (request, response) => {
        await trial;
        await OK(request, response);
      },
      { port: b.port },
    );
    await back.until(() => back.asked === 1);
    // The others have had their chance to follow: the trial is held for half of the time it may take.
    await failureOf(client.request({ ...READ, timeoutMs: 400 }));
    expect(back.asked).toBe(1);
    release();
    expect(await calls).toHaveLength(50);
    expect(back.asked).toBe(50);
    expect(back.requests.length - back.asked).toBeLessThanOrEqual(3);
  });

  it('a cluster without a leader is waited for', async () => {
    const nodes = await Promise.all([429, 429].map((status) => startNode(status, NO_LEADER)));
    const client = await connect(nodes, { timeoutMs: 20_000 });
    const calls = Promise.all(Array.from({ length: 20 }, (_, turn) => client.request(turn % 2 ? READ : WRITE)));
    await failureOf(client.request({ ...READ, timeoutMs: 1500 }));
    const stormed = nodes.reduce((sum, { asked }) => sum + asked, 0);
    for (const node of nodes) node.calls = OK;
    expect(await calls).toHaveLength(20);
    // Each call met each server about once; after that they came one by one.
    expect(stormed).toBeLessThanOrEqual(2 * 21 + 20);
  });
});

describe('a redirect', () => {
  it('to another configured server is followed once, and calls stay there', async () => {
    const b = await startNode(429);
    const a = await startNode(200, (request, response) =>
      fault.redirect(`${b.endpoint}${request.url}`)(request, response),
    );
    const client = await connect([a, b]);
    await client.request(WRITE);
    await client.request(WRITE);
    expect([a.asked, b.asked]).toEqual([1, 2]);
    expect(b.requests.at(-1)).toMatchObject({ method: 'POST', body: '{"data":{}}' });
    b.calls = fault.redirect(`${a.endpoint}/v1/x`);
    expect(await failureOf(client.request(READ))).toMatchObject({ code: 'VAULT_BAD_RESPONSE' });
  });

  it('to a leader that is gone is asked for again, without haste, and disturbs no reads', async () => {
    const gone = await nowhere();
    const redirect: FaultHandler = (request, response) => fault.redirect(`${gone}${request.url}`)(request, response);
    const standby = await startNode(429, (request, response) =>
      (request.method === 'POST' ? redirect : OK)(request, response),
    );
    const client = await connect([gone, standby]);
    await client.request(READ);
    const write = client.request(WRITE);
    await failureOf(client.request({ ...WRITE, timeoutMs: 1200 }));
    const asked = standby.asked;
    // It would wait as long as the write, which ends only afterwards.
    await client.request(READ);
    standby.calls = OK;
    expect((await write).status).toBe(200);
    expect(asked).toBeLessThan(25);
  });

  it('is followed below a path prefix, to an address of the list and nowhere else', async () => {
    const b = await startNode(429);
    const a = await startNode(200);
    const client = await connect([`${a.endpoint}/a`, `${b.endpoint}/b`]);
    const asked = '/v1/secret/data/a';
    const elsewhere = [`${b.endpoint}${asked}`, `${b.endpoint}/c${asked}`, `${b.endpoint}/b/b${asked}`, asked];
    const others = [`/b${asked}`, `${b.endpoint}/b/../a${asked}`, `${b.endpoint}/b${asked}/b`, `${b.endpoint}/b/v1/x`];
    for (const location of [...elsewhere, ...others, `${b.endpoint}/b${asked}?list=true`]) {
      a.calls = fault.redirect(location);
      expect(await failureOf(client.request(READ))).toMatchObject({
        code: 'VAULT_BAD_RESPONSE',
        reason: 'redirect-path',
      });
    }
    expect(b.asked).toBe(0);
    a.calls = fault.redirect(`${b.endpoint}/b${asked}`);
    await client.request(READ);
    expect(client.endpoint).toBe(`${b.endpoint}/b`);
    expect(b.requests.at(-1)).toMatchObject({ url: `/b${asked}`, headers: { 'x-vault-token': TOKEN } });
  });

  it('between two prefixes of one gateway is followed', async () => {
    const gateway = await startNode(200, (request, response) =>
      (request.url.startsWith('/a/') ? fault.redirect(request.url.replace('/a/', '/b/')) : OK)(request, response),
    );
    gateway.health = (request, response) =>
      fault.json(request.url.startsWith('/a/') ? 200 : 429, {})(request, response);
    const client = await connect([`${gateway.endpoint}/a`, `${gateway.endpoint}/b`]);
    await client.request({ ...READ, query: { version: 2 } });
    expect(gateway.requests.at(-1)?.url).toBe('/b/v1/secret/data/a?version=2');
  });

  it('to a stranger, or out of TLS, is not', async () => {
    const stranger = await startNode();
    const a = await startNode(200, fault.redirect(`${stranger.endpoint}/v1/x`));
    const client = await connect([a, await startNode(429)]);
    expect((await failureOf(client.request(READ))).message).toMatch(/not a configured endpoint.*api_addr/);
    expect(stranger.requests).toEqual([]);
    const { ca, cert, key } = await createCertificates();
    const secure = await startNode(200, fault.redirect(`${a.endpoint}/v1/x`), { tls: { cert, key } });
    const mixed = await connect([secure, a], { tls: { ca: [ca] } });
    const before = a.asked;
    // Both are active, and which answers first is open: the one under test is asked until it was.
    a.health = fault.json(503, {});
    expect(await failureOf(mixed.request(READ))).toMatchObject({ code: 'VAULT_BAD_RESPONSE' });
    expect(a.asked).toBe(before);
  });
});

describe('the option', () => {
  const endpointsOf = async (endpoint: unknown): Promise<unknown> => {
    const { transport } = await resolveOptions({ endpoint: endpoint as string, auth: { method: 'token', token: 't' } });
    return [transport.endpoint, ...(transport.otherEndpoints ?? [])];
  };

  it('takes one address or several, each once', async () => {
    expect(await endpointsOf('https://a:1')).toEqual(['https://a:1']);
    expect(await endpointsOf(['https://a:1', 'https://b:2/', 'https://A:1'])).toEqual(['https://a:1', 'https://b:2']);
  });

  it.each([
    ['https://a/vault', 'https://a/vault'],
    ['https://a/vault/', 'https://a/vault'],
    ['https://a:443/vault//', 'https://a/vault'],
    [' HTTPS://A/Vault/b-1_2.3~ ', 'https://a/Vault/b-1_2.3~'],
    ['https://a//', 'https://a'],
    ['https://a/v1/vault', 'https://a/v1/vault'],
    ['https://[::1]:8200/vault', 'https://[::1]:8200/vault'],
  ])('a path prefix: %j is %s', async (endpoint, expected) => {
    expect(await endpointsOf(endpoint)).toEqual([expected]);
    expect(await endpointsOf([endpoint, `${expected}/`])).toEqual([expected]);
  });

  it.each([
    ...['/v1', '/v1/', '/vault/v1', '/vault/v1//', '/ui', '/vault/ui', '/ui/vault/secrets'],
    ...['//vault', '/a//b', '/./a', '/a/.', '/..', '/a/../b', '/a/%2e%2e/b', '/%2E', '/a%2fb', '/a%00', '/%'],
    ...['/a b', '/a%20b', '/a\tb', '/a\nb', '/a\u0000b', '\\a', '/a\\b', '/\u00e4', '/a;b', '/a:b', '/a*'],
    ...['?', '/?', '/a?', '/a?b=c', '#', '/a#', '/a#b', '/u:p@b', '/@b', `/${'a'.repeat(200)}`],
  ])('%j behind the port is refused', async (path) => {
    for (const endpoint of [`https://a:8200${path}`, [`https://a${path}`]])
      expect(await failureOf(endpointsOf(endpoint))).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
  });

  it('an address without a host is refused, and its path is not taken for one', async () => {
    for (const endpoint of ['https:///a', 'https:///a/b', 'https:////a', 'https:/a', 'https:a'])
      expect(await failureOf(endpointsOf(endpoint))).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
  });

  it.each([
    [[], '"endpoint" must be a string, or a list'],
    [['https://a', 7], '"endpoint" must be a string, or a list'],
    [Array.from({ length: 21 }, (_, n) => `https://a:${n + 1}`), '"endpoint" must be a string, or a list'],
    [['https://a', 'b:8200'], '"endpoint[1]" is not an address'],
    [['https://a', 'http://b'], 'differ in their scheme'],
  ])('%j is refused', async (endpoint, message) => {
    expect((await failureOf(endpointsOf(endpoint))).message).toContain(message);
  });
});
