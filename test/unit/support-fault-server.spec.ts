import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createCertificates } from '../../lib/testing/index.js';
import * as fault from '../support/fault-server.js';
import type { FaultHandler, FaultServer, FaultServerOptions } from '../support/fault-server.js';

interface Reply {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

/** A bare client: one connection per call unless an agent is given, and every failure by its own name. */
function call(
  server: { endpoint: string },
  options: http.RequestOptions & { path?: string; send?: string } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = http.request(server.endpoint + (options.path ?? '/v1/x'), { agent: false, ...options });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.end(options.send);
  });
}

describe('fault server', () => {
  const open: FaultServer[] = [];
  const start = async (answer: FaultHandler | 'deaf', options?: FaultServerOptions): Promise<FaultServer> => {
    const server = await fault.startFaultServer(answer, options);
    open.push(server);
    return server;
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.close()));
  });

  describe('records', () => {
    it('keeps method, url, headers and body of every request', async () => {
      const server = await start(fault.answer(204));
      await call(server, {
        method: 'PATCH',
        path: '/v1/a%20b?x=1',
        headers: { 'X-Vault-Token': 't' },
        send: '{"ä":1}',
      });
      await call(server);
      expect(server.requests).toMatchObject([
        { method: 'PATCH', url: '/v1/a%20b?x=1', headers: { 'x-vault-token': 't' }, body: '{"ä":1}' },
        { method: 'GET', url: '/v1/x', body: '' },
      ]);
    });

    it('counts connections: now, at most at once, in total', async () => {
      const server = await start(fault.silent());
      const sockets = [1, 2, 3].map(() => net.connect(server.port, '127.0.0.1'));
      await server.until(() => server.connections === 3);
      sockets[0]?.destroy();
      await server.until(() => server.connections === 2);
      sockets.push(net.connect(server.port, '127.0.0.1'));
      await server.until(() => server.connections === 3);
      expect([server.connections, server.peakConnections, server.totalConnections]).toEqual([3, 3, 4]);
      sockets.forEach((socket) => socket.destroy());
    });

    it('sees that a keep-alive client uses one connection', async () => {
      const server = await start(fault.json(200, {}));
      const agent = new http.Agent({ keepAlive: true });
      for (let i = 0; i < 3; i += 1) await call(server, { agent });
      expect(server.totalConnections).toBe(1);
      agent.destroy();
    });

    it('rejects until() with the error its condition throws', async () => {
      const server = await start(fault.silent());
      await expect(server.until(() => expect(server.requests).toHaveLength(1) === undefined)).rejects.toThrow('length');
    });
  });

  describe('answers', () => {
    it.each<[string, FaultHandler, number, object, string]>([
      ['html', fault.html(), 200, { 'content-type': 'text/html' }, '<html>login</html>'],
      ['malformed JSON', fault.malformedJson(), 200, { 'content-type': 'application/json' }, '{"data":{"a":1,'],
      ['202', fault.json(202, {}), 202, {}, '{}'],
      ['204', fault.answer(204), 204, {}, ''],
      ['200 without a body', fault.answer(200), 200, {}, ''],
      ['405', fault.vaultError(405, ['unsupported operation']), 405, {}, '{"errors":["unsupported operation"]}'],
      ['412', fault.vaultError(412), 412, {}, '{"errors":[]}'],
      ['473', fault.json(473, { standby: true }), 473, {}, '{"standby":true}'],
      ['sealed', fault.sealed(), 503, { 'content-type': 'application/json' }, '{"errors":["Vault is sealed"]}'],
      ['redirect', fault.redirect('http://127.0.0.1:9/v1/x'), 307, { location: 'http://127.0.0.1:9/v1/x' }, ''],
    ])('%s', async (_name, handler, status, headers, body) => {
      const reply = await call(await start(handler));
      expect(reply).toMatchObject({ status, headers });
      expect(reply.body.toString()).toBe(body);
    });

    it('429 with Retry-After in seconds or as a date', async () => {
      const server = await start(fault.rateLimited(3));
      expect(await call(server)).toMatchObject({ status: 429, headers: { 'retry-after': '3' } });
      server.answerWith(fault.rateLimited('Wed, 21 Oct 2065 07:28:00 GMT'));
      expect(await call(server)).toMatchObject({ headers: { 'retry-after': 'Wed, 21 Oct 2065 07:28:00 GMT' } });
    });

    it('gzip that a client which understands it can read', async () => {
      const server = await start(fault.gzipped({ data: { a: 1 } }));
      const reply = await call(server);
      expect(reply.headers['content-encoding']).toBe('gzip');
      expect(reply.body.subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
      await expect((await fetch(server.endpoint)).json()).resolves.toEqual({ data: { a: 1 } });
    });

    it('one after another, the last for ever', async () => {
      const server = await start(fault.inTurn(fault.sealed(), fault.rateLimited(0), fault.answer(204)));
      const statuses: number[] = [];
      for (let i = 0; i < 4; i += 1) statuses.push((await call(server)).status);
      expect(statuses).toEqual([503, 429, 204, 204]);
    });

    it.each([{ declareLength: true }, { declareLength: false }])('40 MiB of valid JSON, %j', async (options) => {
      const reply = await call(await start(fault.huge(40, options)));
      expect(reply.body.length).toBeGreaterThan(40 * 1024 * 1024);
      expect(reply.headers['content-length']).toBe(options.declareLength ? String(reply.body.length) : undefined);
      expect(reply.body.subarray(0, 16).toString()).toBe('{"data":{"a":"xx');
      expect(reply.body.subarray(-4).toString()).toBe('x"}}');
    });

    it('stops a huge body when the client has had enough', async () => {
      const server = await start(fault.huge(40));
      const socket = net.connect(server.port, '127.0.0.1');
      socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      await new Promise((resolve) => socket.once('data', resolve));
      socket.destroy();
      await server.until(() => server.connections === 0);
      await server.close();
    });

    it('a body drop by drop', async () => {
      const reply = await call(await start(fault.drip({ data: 'ü' }, 1)));
      expect(JSON.parse(reply.body.toString())).toEqual({ data: 'ü' });
    });
  });

  describe('withholds', () => {
    it('an answer, after reading the request', async () => {
      const server = await start(fault.silent());
      const failed = call(server, { method: 'POST', send: 'x' }).catch((error: NodeJS.ErrnoException) => error.code);
      await server.until(() => server.requests.length === 1);
      expect(server.requests[0]?.body).toBe('x');
      server.dropConnections();
      await expect(failed).resolves.toBe('ECONNRESET');
    });

    it('even reading: what a server that reads has long taken in is still waiting', async () => {
      const [deaf, listening] = [await start('deaf'), await start(fault.silent())];
      const [blocked, fluent] = [deaf, listening].map((server) => {
        const socket = net.connect(server.port, '127.0.0.1').on('error', () => undefined);
        socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${32 * 1024 * 1024}\r\n\r\n`);
        socket.write(Buffer.alloc(32 * 1024 * 1024));
        return socket;
      }) as [net.Socket, net.Socket];
      await new Promise((resolve) => fluent.once('drain', resolve));
      await listening.until(() => listening.requests.length === 1);
      expect(blocked.writableNeedDrain).toBe(true);
      expect([deaf.connections, deaf.requests]).toEqual([1, []]);
    });

    it.each<[string, FaultHandler]>([
      ['everything, closing in order', fault.hangUp()],
      ['everything, with a reset', fault.reset()],
      ['the end of the body, closing in order', fault.truncated()],
      ['the end of the body, with a reset', fault.truncated({ with: 'reset' })],
    ])('%s', async (_name, handler) => {
      await expect(call(await start(handler))).rejects.toMatchObject({ code: 'ECONNRESET' });
    });

    it('the end of the body only after a start that is declared longer', async () => {
      const server = await start(fault.truncated());
      const received = await new Promise<string>((resolve) => {
        let text = '';
        const socket = net.connect(server.port, '127.0.0.1');
        socket.on('data', (chunk) => (text += chunk.toString())).on('end', () => resolve(text));
        socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      });
      const [head = '', body = ''] = received.split('\r\n\r\n');
      expect(Number(/content-length: (\d+)/i.exec(head)?.[1])).toBeGreaterThan(body.length);
      expect(body).toBe('{"data":{"a":"');
    });
  });

  describe('forwards', () => {
    it('request and answer untouched, except what is intercepted', async () => {
      const real = await start((request, response) => {
        response.writeHead(404, { 'x-real': 'yes', 'content-type': 'application/json' });
        response.end(JSON.stringify({ errors: [request.body] }));
      });
      const intercept: fault.Interceptor = (request, response, forward) =>
        request.method === 'PATCH' ? fault.vaultError(405)(request, response) : forward();
      const server = await start(fault.forwardTo(real.endpoint, { intercept }));

      expect((await call(server, { method: 'PATCH', send: '{}' })).status).toBe(405);
      expect(real.requests).toEqual([]);
      const reply = await call(server, {
        method: 'POST',
        path: '/v1/a?b=c',
        headers: { 'x-vault-token': 't' },
        send: 'hej',
      });
      expect(reply).toMatchObject({ status: 404, headers: { 'x-real': 'yes' } });
      expect(reply.body.toString()).toBe('{"errors":["hej"]}');
      expect(real.requests).toMatchObject([
        { method: 'POST', url: '/v1/a?b=c', headers: { 'x-vault-token': 't', host: new URL(real.endpoint).host } },
      ]);
    });

    it('later, when the interceptor says so', async () => {
      const real = await start(fault.answer(204));
      let release: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (release = resolve));
      const server = await start(
        fault.forwardTo(real.endpoint, { intercept: (_q, _r, forward) => gate.then(forward) }),
      );
      const reply = call(server);
      await server.until(() => server.requests.length === 1);
      expect(real.requests).toEqual([]);
      release();
      expect((await reply).status).toBe(204);
    });

    it('the absence of the real server as a broken connection', async () => {
      const server = await start(fault.forwardTo(`http://127.0.0.1:${await fault.freePort()}`));
      await expect(call(server)).rejects.toMatchObject({ code: 'ECONNRESET' });
    });
  });

  describe('with TLS', () => {
    const callTls = (server: FaultServer, ca: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const request = https.get(server.endpoint, { agent: false, ca }, (response) => {
          response.on('error', reject).resume();
          response.on('end', () => resolve(response.statusCode));
        });
        request.on('error', reject);
      });

    it('answers who trusts its certificate', async () => {
      const tls = await createCertificates();
      const server = await start(fault.answer(204), { tls });
      expect(server.endpoint).toMatch(/^https:/);
      await expect(callTls(server, tls.ca)).resolves.toBe(204);
      await expect(callTls(server, (await createCertificates()).ca)).rejects.toThrow('certificate');
    });

    it.each<[string, FaultHandler]>([
      ['resets', fault.reset()],
      ['truncates', fault.truncated({ with: 'reset' })],
    ])('%s', async (_name, handler) => {
      const tls = await createCertificates();
      await expect(callTls(await start(handler, { tls }), tls.ca)).rejects.toMatchObject({ code: 'ECONNRESET' });
    });

    it('forwards to a server behind TLS', async () => {
      const tls = await createCertificates();
      const real = await start(fault.json(200, { ok: true }), { tls });
      const server = await start(fault.forwardTo(real.endpoint, { ca: tls.ca }));
      expect((await call(server)).body.toString()).toBe('{"ok":true}');
    });

    it('is deaf to a handshake', async () => {
      const server = await start('deaf', { tls: {} });
      const failed = callTls(server, '').catch((error: NodeJS.ErrnoException) => error.code);
      await server.until(() => server.connections === 1);
      server.dropConnections();
      await expect(failed).resolves.toBe('ECONNRESET');
    });
  });

  describe('ends', () => {
    it('with every connection destroyed and its port free', async () => {
      const server = await start(fault.silent());
      const failed = call(server).catch((error: NodeJS.ErrnoException) => error.code);
      await server.until(() => server.requests.length === 1);
      await server.close();
      expect(server.connections).toBe(0);
      await expect(failed).resolves.toBe('ECONNRESET');
      await expect(call(server)).rejects.toMatchObject({ code: 'ECONNREFUSED' });

      const again = await start(fault.answer(204), { port: server.port });
      expect(again.endpoint).toBe(server.endpoint);
      expect((await call(again)).status).toBe(204);
    });

    it('with the error that a handler threw', async () => {
      const server = await fault.startFaultServer(() => {
        throw new Error('mistake in the test');
      });
      await expect(call(server)).rejects.toMatchObject({ code: 'ECONNRESET' });
      await expect(server.close()).rejects.toThrow('mistake in the test');
    });
  });

  it('knows a port where nobody listens, and that nobody is given who asks for any', async () => {
    const port = await fault.freePort();
    await expect(call({ endpoint: `http://127.0.0.1:${port}` })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const given = await start(fault.answer(204));
    expect(given.port).toBeGreaterThan(port);
  });
});
