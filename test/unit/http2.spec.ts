import { afterEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClientOptions } from '../../lib/client/client-options.js';
import type { VaultClient } from '../../lib/client/vault-client.js';
import type { VaultError } from '../../lib/index.js';
import { createCertificates } from '../../lib/testing/index.js';
import { canary, findLeaks, renderError } from '../support/canary.js';
import * as fault from '../support/fault-server.js';
import type { Http2Server, StreamHandler } from '../support/http2-server.js';
import { json, startHttp2Server } from '../support/http2-server.js';
import { createClient } from '../support/vault-client.js';

const TOKEN = canary('token');
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(handler: StreamHandler, settings = {}): Promise<Http2Server> {
  const server = await startHttp2Server(handler, settings);
  ends.push(() => server.close());
  return server;
}

async function connect({ endpoint, ca }: Http2Server, options: Partial<ClientOptions> = {}): Promise<VaultClient> {
  const client = await createClient(endpoint, TOKEN, { tls: { ca }, ...options });
  ends.push(() => client.close());
  return client;
}

const get = (client: VaultClient, path: string, more = {}) => client.request({ method: 'GET', path, ...more });
const post = (client: VaultClient, path: string, more = {}) =>
  client.request({ method: 'POST', path, body: { password: 'p' }, ...more });
async function failure(call: Promise<unknown>): Promise<VaultError> {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  expect(findLeaks(renderError(error))).toEqual([]);
  return error as VaultError;
}

const OPEN = { 'content-type': 'application/json', ':status': 200 };

describe('a call over HTTP/2', () => {
  it('carries method, path, query, headers and body, and brings status, headers and body back', async () => {
    let seen: unknown;
    const server = await start((stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        seen = { ...headers, body: Buffer.concat(chunks).toString() };
        stream.additionalHeaders({ ':status': 103 });
        stream.respond({ ...OPEN, ':status': 404, 'x-vault-index': 'i', 'set-cookie': ['a=1', 'b=2'] });
        stream.end('{"data":{"a":"ä"}}');
      });
    });
    const client = await connect(server);
    const answer = await post(client, 'a/b%20c', { query: { list: true }, accept: [404], namespace: 'team' });
    expect(answer).toMatchObject({ status: 404, headers: { 'x-vault-index': 'i' }, body: { data: { a: 'ä' } } });
    expect(seen).toMatchObject({
      ':method': 'POST',
      ':path': '/v1/a/b%20c?list=true',
      'content-length': '16',
      'x-vault-token': TOKEN,
      'x-vault-namespace': 'team',
      body: '{"password":"p"}',
    });
    server.answerWith((stream) => stream.respond({ ':status': 204 }, { endStream: true }));
    expect(await client.request({ method: 'DELETE', path: 'x' })).toMatchObject({ status: 204, body: undefined });
    expect(await client.request({ method: 'HEAD', path: 'x' })).toMatchObject({ status: 204 });
  });

  it('goes below the path prefix of the endpoint', async () => {
    const server = await start(json({}));
    const client = await createClient(`${server.endpoint}/vault`, TOKEN, { tls: { ca: server.ca } });
    ends.push(() => client.close());
    await get(client, 'x');
    expect(server.requests).toEqual(['GET /vault/v1/x']);
  });

  it('shares one connection with a hundred others, also where the server takes five at a time', async () => {
    for (const settings of [{}, { maxConcurrentStreams: 5 }]) {
      const server = await start(json({ data: 1 }), settings);
      const client = await connect(server);
      await Promise.all(Array.from({ length: 100 }, (_, index) => get(client, `s${index}`)));
      expect(server.requests).toHaveLength(100);
      expect(server.totalConnections).toBe(1);
    }
  });

  it('waits for no other: neither a write behind a slow read nor the reads behind the write', async () => {
    const server = await start((stream, headers) => {
      if (headers[':path'] !== '/v1/slow') json({ data: 1 })(stream, headers);
    });
    const client = await connect(server);
    const slow = failure(get(client, 'slow'));
    await server.until(() => server.requests.length === 1);
    await Promise.all([post(client, 'write'), get(client, 'fast')]);
    await client.close();
    expect(await slow).toMatchObject({ code: 'VAULT_CLOSED' });
    expect(server.totalConnections).toBe(1);
  });

  it.each([
    ['a token with a line break', 'a\r\nb'],
    ['a token beyond Latin-1', 'tök\u20acn'],
  ])('with %s is not sent', async (_, token) => {
    const server = await start(json({}));
    const client = await connect(server);
    expect(await failure(get(client, 'x', { token }))).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    expect(server.requests).toEqual([]);
    expect((await get(client, 'y')).status).toBe(200);
  });
});

describe('what goes wrong with one call leaves the others alone', () => {
  const huge: StreamHandler = (stream) => {
    stream.respond(OPEN);
    const block = Buffer.alloc(1024 * 1024, 'x');
    const more = (): void => {
      while (!stream.destroyed && stream.write(block));
    };
    stream.on('drain', more);
    more();
  };
  it.each<[string, StreamHandler, { code: string; reason?: string }]>([
    ['silence', () => undefined, { code: 'VAULT_TIMEOUT' }],
    [
      'an answer that never ends',
      (stream) => void (stream.respond(OPEN), stream.write('{')),
      { code: 'VAULT_TIMEOUT' },
    ],
    ['an answer without end in size', huge, { code: 'VAULT_BAD_RESPONSE' }],
    ['a stream that is closed', (stream) => stream.close(), { code: 'VAULT_CONNECTION' }],
    ['a stream that is canceled', (stream) => stream.close(constants.NGHTTP2_CANCEL), { code: 'VAULT_CONNECTION' }],
    [
      'a stream that fails in the body',
      (stream) => {
        stream.respond(OPEN);
        stream.write('{"data":{"a":"', () => stream.destroy(new Error('inside')));
      },
      { code: 'VAULT_CONNECTION', reason: 'ERR_HTTP2_STREAM_ERROR' },
    ],
    [
      'a stream canceled in the body',
      (stream) => {
        stream.respond(OPEN);
        stream.write('{"data":{"a":"', () => stream.destroy(new DOMException('stop', 'AbortError')));
      },
      { code: 'VAULT_CONNECTION' },
    ],
    [
      'fewer bytes than announced',
      (stream) => (stream.respond({ ...OPEN, 'content-length': 100 }), stream.end('{}')),
      { code: 'VAULT_CONNECTION' },
    ],
    [
      'a page',
      (stream) => (stream.respond({ ':status': 200, 'content-type': 'text/html' }), stream.end('<p>')),
      { code: 'VAULT_BAD_RESPONSE' },
    ],
  ])('%s', async (_, handler, expected) => {
    let other: (() => void) | undefined;
    const server = await start((stream, headers) => {
      if (headers[':path'] === '/v1/other') other = () => json({ data: 1 })(stream, headers);
      else handler(stream, headers);
    });
    const client = await connect(server);
    const waiting = get(client, 'other');
    await server.until(() => server.requests.length === 1);
    const limits = expected.code === 'VAULT_TIMEOUT' ? { timeoutMs: 1500 } : {};
    expect(await failure(get(client, 'x', limits))).toMatchObject(expected);
    other?.();
    expect((await waiting).status).toBe(200);
    expect(server.totalConnections).toBe(1);
  });

  it('the caller’s abort cancels the stream at the server', async () => {
    let closed: number | undefined;
    const server = await start((stream) => stream.on('close', () => (closed = stream.rstCode)));
    const client = await connect(server);
    const controller = new AbortController();
    const call = failure(get(client, 'x', { signal: controller.signal }));
    await server.until(() => server.requests.length === 1);
    controller.abort();
    expect(await call).toMatchObject({ code: 'VAULT_ABORTED' });
    await server.until(() => closed !== undefined);
    expect(closed).toBe(constants.NGHTTP2_CANCEL);
    expect(server.sessions).toHaveLength(1);
  });
});

describe('the connection', () => {
  it('that is announced to end finishes its calls; new ones get a new connection', async () => {
    let answer: (() => void) | undefined;
    const server = await start((stream, headers) => {
      answer = () => json({ data: 1 })(stream, headers);
    });
    const client = await connect(server);
    const early = post(client, 'early');
    await server.until(() => server.requests.length === 1);
    server.sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR);
    const finish = answer;
    server.answerWith(json({ data: 2 }));
    // The announcement is on its way: calls go over the old connection until it has arrived.
    while (server.totalConnections < 2) await get(client, 'late');
    finish?.();
    expect((await early).body).toEqual({ data: 1 });
    await server.until(() => server.sessions.length === 1);
    expect(server.requests.filter((request) => request === 'POST /v1/early')).toHaveLength(1);
  });

  it('that refuses a call unseen has it sent again, whatever it is; twice it does not', async () => {
    let refusals = 1;
    const server = await start((stream, headers) => {
      if (refusals-- > 0) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else json({ data: 1 })(stream, headers);
    });
    const client = await connect(server);
    expect((await post(client, 'x')).body).toEqual({ data: 1 });
    expect(server.requests).toEqual(['POST /v1/x', 'POST /v1/x']);
    refusals = 9;
    expect(await failure(post(client, 'y'))).toMatchObject({ code: 'VAULT_CONNECTION' });
    expect(refusals).toBe(7);
  });

  it('whose answer is cut with NO_ERROR in the middle is broken, and a read is sent again', async () => {
    const cut: StreamHandler = (stream) => {
      stream.respond({ ...OPEN, 'content-length': 12 });
      stream.write('{"data"', () => stream.close(constants.NGHTTP2_NO_ERROR));
    };
    const server = await start(cut);
    const client = await connect(server, { retries: 1 });
    expect(await failure(post(client, 'x'))).toMatchObject({ code: 'VAULT_CONNECTION' });
    let cuts = 1;
    server.answerWith((stream, headers) =>
      cuts-- > 0 ? cut(stream, headers) : (stream.respond(OPEN) ?? stream.end('{"data":1}')),
    );
    expect((await get(client, 'y')).body).toEqual({ data: 1 });
    expect(server.requests).toEqual(['POST /v1/x', 'GET /v1/y', 'GET /v1/y']);
  });

  it.each([
    ['in a value', '{"data":{"a":"'],
    ['before the last brace', '{"data":{"a":"}"}'],
    ['before the body', ''],
  ])('whose answer of unknown length is cut with NO_ERROR %s is broken, and a read is sent again', async (_, part) => {
    const cut: StreamHandler = (stream) => {
      stream.respond(OPEN);
      if (part === '') stream.close(constants.NGHTTP2_NO_ERROR);
      else stream.write(part, () => stream.close(constants.NGHTTP2_NO_ERROR));
    };
    const server = await start(cut);
    const client = await connect(server, { retries: 1, timeoutMs: 2000 });
    // Node 22 may tell of a cut before the body; what is left of one looks like an end everywhere.
    const reason = part === '' ? /^(cut-short|UND_ERR_SOCKET)$/ : /^cut-short$/;
    const broken = { reason: expect.stringMatching(reason) as unknown };
    if (part !== '') expect(await failure(post(client, 'x'))).toMatchObject(broken);
    expect(await failure(get(client, 'x'))).toMatchObject(broken);
    server.requests.length = 0;
    let cuts = 1;
    server.answerWith((stream, headers) => (cuts-- > 0 ? cut : json({ data: 1 }))(stream, headers));
    expect((await get(client, 'y')).body).toEqual({ data: 1 });
    expect(server.requests).toEqual(['GET /v1/y', 'GET /v1/y']);
  });

  it.each<[string, (server: Http2Server) => void]>([
    ['is cut', ({ sessions }) => sessions[0]?.destroy()],
    ['breaks the protocol', ({ sessions }) => sessions[0]?.destroy(undefined, constants.NGHTTP2_PROTOCOL_ERROR)],
  ])('that %s fails what is under way, and the next call gets a new one', async (_, end) => {
    const server = await start(() => undefined);
    const client = await connect(server);
    const calls = [failure(get(client, 'a')), failure(post(client, 'b'))];
    await server.until(() => server.requests.length === 2);
    end(server);
    for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: 'VAULT_CONNECTION' });
    server.answerWith(json({ data: 1 }));
    expect((await get(client, 'c')).status).toBe(200);
    expect(server.requests).toEqual(['GET /v1/a', 'POST /v1/b', 'GET /v1/c']);
  });

  it('on which nothing is heard any more is left after one deadline', async () => {
    const server = await start(json({ data: 1 }));
    const client = await connect(server);
    await get(client, 'x');
    server.answerWith(() => undefined);
    expect(await failure(get(client, 'lost', { timeoutMs: 2100 }))).toMatchObject({ code: 'VAULT_TIMEOUT' });
    server.answerWith(json({ data: 2 }));
    expect((await get(client, 'x')).body).toEqual({ data: 2 });
    expect(server.totalConnections).toBe(2);
    await server.until(() => server.sessions.length === 1);
  });

  it('is closed with everything on it', async () => {
    const server = await start(() => undefined);
    const client = await connect(server);
    const call = failure(get(client, 'x'));
    await server.until(() => server.requests.length === 1);
    await client.close();
    expect(await call).toMatchObject({ code: 'VAULT_CLOSED' });
    await server.until(() => server.sessions.length === 0);
    expect(await failure(get(client, 'y'))).toMatchObject({ code: 'VAULT_CLOSED' });
  });

  it('that is idle keeps no process alive', async () => {
    const server = await start(json({ data: 1 }));
    const program = `
      const { prepareConnect } = await import(process.argv[1]);
      const [endpoint, ca] = process.argv.slice(2);
      const connect = await prepareConnect({ tls: { ca }, connectTimeoutMs: 5000, maxConnections: 1 }, [endpoint]);
      const connections = connect(endpoint);
      connections.dispatch({ method: 'GET', path: '/v1/x', headers: {} }, {
        onRequestStart() {}, onResponseStart() {}, onResponseData() {},
        onResponseEnd: () => console.log('answered'), onResponseError: (_, error) => console.log(error.code),
      });`;
    const module = new URL('../../lib/client/connections/connections.ts', import.meta.url).href;
    const args = ['--import', 'tsx', '--input-type=module', '-e', program, module, server.endpoint, server.ca];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 20_000 });
    const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    expect([output.trim(), child.exitCode]).toEqual(['answered', 0]);
  });

  it('is not offered when that is forbidden', async () => {
    const server = await start(json({ data: 1 }));
    const client = await connect(server, { http2: false });
    expect(await failure(get(client, 'x'))).toMatchObject({ code: expect.stringMatching(/TLS|CONNECTION/) as unknown });
  });
});

describe('a server that speaks HTTP/1.1 only', () => {
  it('is served by it, beginning with the connection on which it said so', async () => {
    const { ca, cert, key } = await createCertificates();
    const server = await fault.startFaultServer(fault.json(200, { data: 1 }), { tls: { cert, key } });
    ends.push(() => server.close());
    const client = await createClient(server.endpoint, TOKEN, { tls: { ca }, maxConnections: 4 });
    ends.push(() => client.close());
    await get(client, 'x');
    expect(server.totalConnections).toBe(1);
    await Promise.all(Array.from({ length: 20 }, (_, index) => get(client, `y${index}`)));
    expect(server.peakConnections).toBeLessThanOrEqual(4);
    expect(server.requests).toHaveLength(21);
    server.answerWith(fault.silent());
    const calls = [failure(get(client, 'z', { timeoutMs: 100 })), delay(10).then(() => client.close())];
    await Promise.all(calls);
    await server.until(() => server.connections === 0);
  });
});
