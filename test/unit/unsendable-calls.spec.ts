import { mkdtemp, rm } from 'node:fs/promises';
import * as http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { boot } from '../../lib/boot/boot.js';
import { prepareConnect } from '../../lib/client/connections/connections.js';
import { RawExchange } from '../../lib/client/exchange.js';
import type { ClientOptions } from '../../lib/client/client-options.js';
import type { VaultClient } from '../../lib/client/vault-client.js';
import { Kv1Engine } from '../../lib/engines/kv1.engine.js';
import { Kv2Engine } from '../../lib/engines/kv2.engine.js';
import { LogicalEngine } from '../../lib/engines/logical.engine.js';
import { VaultSys } from '../../lib/sys/vault-sys.js';
import { startConnectProxy } from '../support/connect-proxy.js';
import * as fault from '../support/fault-server.js';
import { json, startHttp2Server } from '../support/http2-server.js';
import { createClient } from '../support/vault-client.js';

const SECRET = { data: { data: { a: 1 }, metadata: { version: 1 } } };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Servers that the pool of HTTP/1.1, or a connection of HTTP/2, leads to in every way there is. */
const SERVERS: Readonly<Record<string, () => Promise<Partial<ClientOptions> & { readonly endpoint: string }>>> = {
  'over http': async () => {
    const server = await fault.startFaultServer(fault.json(200, SECRET));
    ends.push(() => server.close());
    return { endpoint: server.endpoint };
  },
  'over a unix socket': async () => {
    const folder = await mkdtemp(join(tmpdir(), 'unsendable-'));
    const path = join(folder, 'vault.sock');
    const server = http.createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(SECRET));
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    ends.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    });
    return { endpoint: `unix://${path}` };
  },
  'through a proxy': async () => {
    const server = await fault.startFaultServer(fault.json(200, SECRET));
    const proxy = await startConnectProxy();
    ends.push(
      () => server.close(),
      () => proxy.close(),
    );
    return { endpoint: server.endpoint, proxy: `http://127.0.0.1:${proxy.port}/` };
  },
  'over http2': async () => {
    const server = await startHttp2Server(json(SECRET));
    ends.push(() => server.close());
    return { endpoint: server.endpoint, tls: { ca: server.ca }, http2: true };
  },
};

const never = 'VAULT_INVALID_OPTION';
const path = 'VAULT_INVALID_PATH';
type Call = (client: VaultClient) => Promise<unknown>;
const kv = (client: VaultClient): Kv2Engine => new Kv2Engine(client);
const kv1 = (client: VaultClient): Kv1Engine => new Kv1Engine(client, 'kv');
const logical = (client: VaultClient): LogicalEngine => new LogicalEngine(client);
const stock = (client: VaultClient) => client.nodeVault;
const withHeader = (name: string, value: unknown) => ({ headers: { [name]: value } }) as object;

/** An object that cannot be made a text of. */
function hostile(): object {
  const fail = (): never => {
    throw new TypeError('raw');
  };
  return { toString: fail, valueOf: fail, [Symbol.toPrimitive]: fail, toJSON: fail };
}

function throwing(name: string): object {
  return Object.defineProperty({}, name, {
    enumerable: true,
    get: () => {
      throw new TypeError('raw');
    },
  });
}

/** Calls that cannot be sent, the code of their error, and the part that it names. */
const CALLS: readonly (readonly [name: string, code: string, part: RegExp, call: Call])[] = [
  ['kv.read, namespace with a line break', never, /namespace/, (c) => kv(c).read('a', { namespace: 'team\n' })],
  ['kv.read, namespace of letters beyond ASCII', never, /namespace/, (c) => kv(c).read('a', { namespace: 'équipe' })],
  ['kv.read, namespace that is no text', never, /namespace/, (c) => kv(c).read('a', { namespace: 7 as never })],
  ...[0, false, NaN].map((namespace): (typeof CALLS)[number] => [
    `kv.read, namespace ${namespace}`,
    never,
    /namespace/,
    (c) => kv(c).read('a', { namespace: namespace as never }),
  ]),
  [
    'kv.read, half a signal',
    never,
    /signal/,
    (c) => kv(c).read('a', { signal: { addEventListener: () => undefined } as never }),
  ],
  ['kv.write, namespace', never, /namespace/, (c) => kv(c).write('a', {}, { namespace: 'a\r\nX-Injected: 1' })],
  ['kv.list, namespace', never, /namespace/, (c) => kv(c).list('a', { namespace: '\u0000' })],
  ['kv1.read, namespace', never, /namespace/, (c) => kv1(c).read('a', { namespace: 'a\n' })],
  ['kv1.write, namespace', never, /namespace/, (c) => kv1(c).write('a', {}, { namespace: '日本' })],
  ['read, namespace', never, /namespace/, (c) => logical(c).read('a', { namespace: 'a\n' })],
  ['read, wrapTtl', never, /wrapTtl/, (c) => logical(c).read('a', { wrapTtl: '5m\n' })],
  ['write, wrapTtl', never, /wrapTtl/, (c) => logical(c).write('a', {}, { wrapTtl: '５m' })],
  ['list, namespace', never, /namespace/, (c) => logical(c).list('a', { namespace: 'a\u007f' })],
  ['delete, namespace', never, /namespace/, (c) => logical(c).delete('a', { namespace: 'a\u2028' })],
  ['client.read, namespace', never, /namespace/, (c) => stock(c).read('a', { namespace: 'a\n' })],
  ['client.read, name of a header', never, /"a b"/, (c) => stock(c).read('a', withHeader('a b', '1'))],
  ['client.read, empty name of a header', never, /""/, (c) => stock(c).read('a', withHeader('', '1'))],
  ['client.read, value of a header', never, /"x-a"/, (c) => stock(c).read('a', withHeader('x-a', 'b\nc'))],
  ['client.read, letters in a header', never, /"x-a"/, (c) => stock(c).read('a', withHeader('x-a', 'имя'))],
  ['client.read, number in a header', never, /"x-a"/, (c) => stock(c).read('a', withHeader('x-a', 7))],
  ['client.read, null in a header', never, /"x-a"/, (c) => stock(c).read('a', withHeader('x-a', null))],
  ['client.read, object in a header', never, /"x-a"/, (c) => stock(c).read('a', withHeader('x-a', {}))],
  ['client.read, keep-alive', never, /"keep-alive"/, (c) => stock(c).read('a', withHeader('keep-alive', '1'))],
  ['client.read, upgrade', never, /"upgrade"/, (c) => stock(c).read('a', withHeader('Upgrade', 'h2c'))],
  ['client.read, trailer', never, /"trailer"/, (c) => stock(c).read('a', withHeader('trailer', 'x'))],
  ['client.read, token', never, /token/, (c) => stock(c).read('a', withHeader('x-vault-token', 'a\nb'))],
  ['client.read, half a character', path, /path|Unicode/, (c) => stock(c).read('secret/data/\ud800')],
  ...[undefined, null, '', 7, {}, ['a'], Symbol('a'), () => 'a', hostile()].flatMap((value) =>
    (['read', 'write', 'update', 'list', 'delete', 'help'] as const).map((name): (typeof CALLS)[number] => [
      `client.${name}, path of type ${typeof value}`,
      path,
      /path/,
      (c) => (stock(c)[name as 'read'] as (given: unknown) => Promise<unknown>)(value),
    ]),
  ),
  ...['X-Vault-Token', 'x-vault-token', 'X-Vault-Namespace', 'X-Vault-Wrap-TTL'].flatMap((name) =>
    [null, undefined, 7, false, {}, ['a']].map((value): (typeof CALLS)[number] => [
      `client.read, ${name} ${JSON.stringify(value)}`,
      never,
      new RegExp(name, 'i'),
      (c) => stock(c).read('a', withHeader(name, value)),
    ]),
  ),
  ...[new Headers({ 'x-vault-token': 't' }), new Map([['x-vault-token', 't']]), [['x-vault-token', 't']], 't'].map(
    (headers): (typeof CALLS)[number] => [
      'client.read, headers that are no object of texts',
      never,
      /headers/,
      (c) => stock(c).read('a', { headers: headers as never }),
    ],
  ),
  ['client.read, namespace null', never, /namespace/, (c) => stock(c).read('a', { namespace: null })],
  ['client.read, options with a getter', never, /getter/, (c) => stock(c).read('a', throwing('timeoutMs'))],
  ['client.write, data with a getter', never, /getter/, (c) => stock(c).write('a', throwing('a'))],
  ['client.request, nothing', never, /request\(\)/, (c) => stock(c).request(undefined as never)],
  [
    'client.request, no text',
    never,
    /request\(\)/,
    (c) => stock(c).request({ path: Symbol('a'), method: 'GET' } as never),
  ],
  [
    'client.renew, a parameter that is missing',
    never,
    /"lease_id" is missing/,
    (c) => stock(c).renew({ increment: 1 }),
  ],
  ['client.mount, null', never, /mount\(\)/, (c) => stock(c).mount(null as never)],
  ['client.unmount, a getter', never, /unmount\(\)/, (c) => stock(c).unmount(throwing('mount_point'))],
  ...[' ', '  ', ' team', 'team ', '\t'].map((namespace): (typeof CALLS)[number] => [
    `namespace ${JSON.stringify(namespace)}`,
    never,
    /namespace/,
    (c) => kv(c).read('a', { namespace }),
  ]),
  ['kv.read, namespace null', never, /namespace/, (c) => kv(c).read('a', { namespace: null as never })],
  ...[undefined, null, Symbol('a'), 7, {}, hostile()].flatMap((value): (typeof CALLS)[number][] => [
    ['kv.read, no path', path, /secretPath/, (c) => kv(c).read(value as never)],
    ['kv1.read, no path', path, /secretPath/, (c) => kv1(c).read(value as never)],
    ['read, no path', path, /path/, (c) => logical(c).read(value as never)],
    ['list, no path', path, /path/, (c) => logical(c).list(value as never)],
  ]),
  ...['signal', 'timeoutMs', 'namespace'].flatMap((name): (typeof CALLS)[number][] => [
    [`kv.read, getter ${name}`, never, new RegExp(name), (c) => kv(c).read('a', throwing(name))],
    [`kv1.list, getter ${name}`, never, new RegExp(name), (c) => kv1(c).list('a', throwing(name))],
    [`delete, getter ${name}`, never, new RegExp(name), (c) => logical(c).delete('a', throwing(name))],
  ]),
  ...['query', 'wrapTtl', 'idempotent'].map((name): (typeof CALLS)[number] => [
    `read, getter ${name}`,
    never,
    new RegExp(name),
    (c) => logical(c).read('a', throwing(name)),
  ]),
  ['kv.write, getter cas', never, /cas/, (c) => kv(c).write('a', {}, throwing('cas'))],
  ['kv.patch, getter cas', never, /cas/, (c) => kv(c).patch('a', {}, throwing('cas'))],
  ['kv.write, data with a getter', never, /data/, (c) => kv(c).write('a', throwing('a'))],
  ...[7, 'team', true, ['a'], new Map(), Symbol('a')].map((options): (typeof CALLS)[number] => [
    'kv.read, options that are no object',
    never,
    /options/,
    (c) => kv(c).read('a', options as never),
  ]),
  ...[Symbol('a'), 5n, hostile(), Object.create(null) as unknown, '5', NaN].flatMap(
    (value): (typeof CALLS)[number][] => [
      ['kv.read, timeoutMs', never, /timeoutMs/, (c) => kv(c).read('a', { timeoutMs: value as never })],
      ['kv.write, cas', never, /cas/, (c) => kv(c).write('a', {}, { cas: value as never })],
      ['kv.readVersion', never, /[Vv]ersion/, (c) => kv(c).readVersion('a', value as never)],
    ],
  ),
  ...[Symbol('a'), {}, hostile(), '', ' ', '0', '0s', '-5m', 0, -1, NaN, Infinity, true, null].map(
    (wrapTtl): (typeof CALLS)[number] => [
      'read, wrapTtl that would wrap nothing',
      never,
      /wrapTtl/,
      (c) => logical(c).read('a', { wrapTtl: wrapTtl as never }),
    ],
  ),
  ...[
    new URLSearchParams('a=b'),
    new Map([['a', 'b']]),
    'a=b',
    [['a', 'b']],
    { a: {} },
    { a: null },
    { a: Symbol('a') },
  ].map((query): (typeof CALLS)[number] => [
    'read, query that would be lost or altered',
    never,
    /query/,
    (c) => logical(c).read('a', { query: query as never }),
  ]),
  ['read, query with a getter', never, /query/, (c) => logical(c).read('a', { query: throwing('a') as never })],
  ['request, path', path, /path/, (c) => c.request({ method: 'GET', path: 'secret/data/имя' })],
  ['request, path with a line break', path, /path/, (c) => c.request({ method: 'GET', path: 'a\nb' })],
];

describe.each(Object.keys(SERVERS))('calls that cannot be sent, %s', (way) => {
  it('are refused naming the part, and 1,000 reads work afterwards', async () => {
    const { endpoint, ...options } = (await SERVERS[way]?.()) ?? { endpoint: '' };
    const client = await createClient(endpoint, 'token', options);
    ends.push(() => client.close());
    for (const [name, code, part, call] of CALLS) {
      const error: unknown = await call(client).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect([name, error]).toEqual([name, expect.objectContaining({ code })]);
      expect((error as Error).message).toMatch(part);
    }
    const reads = Array.from({ length: 1_000 }, () => kv(client).read('a'));
    expect(new Set((await Promise.all(reads)).map(({ version }) => version))).toEqual(new Set([1]));
  });
});

it('an address to unseal is checked as that of the module', async () => {
  const runtime = await boot({ enabled: false });
  ends.push(() => runtime.close());
  const sys = new VaultSys(runtime.client, () => Promise.reject(new Error('connected')));
  for (const endpoints of ['https://vault', 7, {}, [7], [Symbol('a')]])
    await expect(sys.unseal(['key'], { endpoints: endpoints as never })).rejects.toMatchObject({ code: never });
  await expect(sys.unseal(['key'], throwing('endpoints'))).rejects.toMatchObject({ code: never });
});

it('an empty token header sends no token, a call without the header that of the session', async () => {
  const server = await fault.startFaultServer(fault.json(200, SECRET));
  ends.push(() => server.close());
  const client = await createClient(server.endpoint, 'session-token');
  ends.push(() => client.close());
  await client.nodeVault.read('a', withHeader('X-Vault-Token', ''));
  await client.nodeVault.read('a', withHeader('X-Vault-Token', 'other'));
  await client.nodeVault.read('a');
  const tokens = server.requests.map(({ headers }) => headers['x-vault-token']);
  expect(tokens).toEqual([undefined, 'other', 'session-token']);
});

it('a name beyond ASCII is percent-encoded in a path of the node-vault client', async () => {
  const server = await fault.startFaultServer(fault.json(200, SECRET));
  ends.push(() => server.close());
  const client = await createClient(server.endpoint);
  ends.push(() => client.close());
  await client.nodeVault.read('secret/data/имя');
  expect(server.requests.map(({ url }) => url)).toEqual([`/v1/secret/data/${encodeURIComponent('имя')}`]);
});

it('a pool that refuses requests is replaced', async () => {
  const server = await fault.startFaultServer(fault.json(200, SECRET));
  ends.push(() => server.close());
  const options = { tls: {}, connectTimeoutMs: 5_000, maxConnections: 2 };
  const connections = (await prepareConnect(options, [server.endpoint]))(server.endpoint);
  ends.push(() => connections.close());
  const send = async (headers: Record<string, string>): Promise<number> => {
    const exchange = new RawExchange({ timeoutMs: 10_000, maxBytes: 1_000_000, signal: undefined });
    const outcome = await exchange.send(connections, { method: 'GET', path: '/v1/a', headers });
    if (!('failure' in outcome)) return outcome.status;
    connections.recoverFrom?.(outcome.failure);
    throw outcome.failure as Error;
  };
  for (let attempt = 0; attempt < 8; attempt++) await expect(send({ a: 'b\nc' })).rejects.toThrow();
  await expect(send({ a: 'b' })).resolves.toBe(200);
});
