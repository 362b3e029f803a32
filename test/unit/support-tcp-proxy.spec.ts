import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createCertificates } from '../../lib/testing/index.js';
import { freePort } from '../support/fault-server.js';
import { Lane } from '../support/proxy-lane.js';
import { TcpProxy, roundTrip } from '../support/tcp-proxy.js';
import type { ProxyFault } from '../support/tcp-proxy.js';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0)) await step();
});

/** A server that answers what it is sent; `arrived` collects all of it. */
async function echo(): Promise<{ endpoint: string; arrived: () => string; sockets: Set<net.Socket> }> {
  let text = '';
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      text += chunk.toString();
      socket.write(chunk);
    });
    socket.on('end', () => socket.end('bye'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, arrived: () => text, sockets };
}

async function proxyTo(endpoint: string, fault?: ProxyFault): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(endpoint, fault);
  cleanUp.unshift(() => proxy.close());
  return proxy;
}

/** A bare client that keeps what it gets, and how it ended. */
class Client {
  received = '';
  readonly ended: Promise<string>;
  readonly socket: net.Socket;

  constructor(proxy: TcpProxy) {
    this.socket = net.connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (chunk) => (this.received += chunk.toString()));
    this.ended = new Promise((resolve) => {
      this.socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      this.socket.on('end', () => resolve('end'));
    });
    cleanUp.unshift(() => Promise.resolve(this.socket.destroy()));
  }

  async until(text: string): Promise<void> {
    while (this.received !== text) await once(this.socket, 'data');
  }
}

describe('forward', () => {
  it('passes both directions, both ends, and counts', async () => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint);
    const client = new Client(proxy);
    client.socket.write('hello');
    await client.until('hello');
    expect([proxy.connections, proxy.totalConnections, proxy.bytesUp, proxy.bytesDown]).toEqual([1, 1, 5, 5]);

    client.socket.end();
    expect(await client.ended).toBe('end');
    expect(client.received).toBe('hellobye');
    client.socket.destroy();
    await proxy.until(() => proxy.connections === 0);
    expect([proxy.totalConnections, proxy.peakConnections, proxy.held]).toEqual([1, 1, 0]);
  });

  it('passes more than its buffers hold, in order', async () => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint, roundTrip(2));
    const client = new Client(proxy);
    const text = Array.from({ length: 800_000 }, (_, index) => index % 10)
      .join('')
      .repeat(5);
    client.socket.end(text);
    await client.ended;
    expect(client.received === `${text}bye`).toBe(true);
  });

  it('passes a reset on, in both directions', async () => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint);
    const client = new Client(proxy);
    client.socket.write('x');
    await client.until('x');
    for (const socket of server.sockets) socket.resetAndDestroy();
    expect(await client.ended).toBe('ECONNRESET');

    const other = new Client(proxy);
    other.socket.write('x');
    await other.until('x');
    const [socket] = [...server.sockets];
    other.socket.resetAndDestroy();
    await new Promise((resolve) => socket?.once('close', resolve));
    await proxy.until(() => proxy.connections === 0);
  });

  it('lets go of a socket whose end and reset come together', async () => {
    const { endpoint } = await echo();
    const target = net.connect(Number(new URL(endpoint).port), '127.0.0.1').on('error', () => undefined);
    await once(target, 'connect');
    const closed = new Promise((resolve) => target.once('close', resolve));
    const source = new net.Socket();
    new Lane(source, target, () => undefined);
    source.emit('end');
    source.emit('error', new Error('reset'));
    await closed;
  });

  it('resets a client whose server is not there', async () => {
    const proxy = await proxyTo(`http://127.0.0.1:${await freePort()}`);
    expect(await new Client(proxy).ended).toBe('ECONNRESET');
  });

  it('delays each direction, and pays for the handshake once', async () => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint, { kind: 'forward', upMs: 40, downMs: 20 });
    const client = new Client(proxy);
    const lap = async (text: string, expected: string): Promise<number> => {
      const start = performance.now();
      client.socket.write(text);
      await client.until(expected);
      return performance.now() - start;
    };
    // Only what a slow machine cannot break: never faster than the network.
    expect(await lap('a', 'a')).toBeGreaterThan(115);
    expect(await lap('b', 'ab')).toBeGreaterThan(55);
    proxy.heal();
    await lap('c', 'abc');
  });
});

describe('black hole', () => {
  it('swallows an open connection in mid-flight, hides its end, and lets everything through when it heals', async () => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint);
    const client = new Client(proxy);
    client.socket.write('one');
    await client.until('one');

    proxy.set({ kind: 'black-hole' });
    client.socket.write('two');
    client.socket.end();
    await proxy.until(() => proxy.held === 3);
    expect(server.arrived()).toBe('one');
    expect(server.sockets.size).toBe(1);

    proxy.heal();
    expect(await client.ended).toBe('end');
    expect(client.received).toBe('onetwobye');
  });

  it('accepts new connections and is silent, even where the server is gone', async () => {
    const proxy = await proxyTo(`http://127.0.0.1:${await freePort()}`, { kind: 'black-hole' });
    const client = new Client(proxy);
    client.socket.write('x');
    await proxy.until(() => proxy.held === 1);
    expect(proxy.connections).toBe(1);
    proxy.heal();
    expect(await client.ended).toBe('ECONNRESET');
  });

  it('loses answers only: the request arrives', async () => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint, { kind: 'black-hole', direction: 'down' });
    const client = new Client(proxy);
    client.socket.write('x');
    await proxy.until(() => proxy.held === 1);
    expect([server.arrived(), client.received]).toEqual(['x', '']);
  });

  it('notices that a client gives up', async () => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint, { kind: 'black-hole' });
    const client = new Client(proxy);
    await proxy.until(() => proxy.connections === 1);
    client.socket.destroy();
    await proxy.until(() => proxy.connections === 0);
    proxy.heal();
    await proxy.until(() => server.sockets.size === 0);
  });
});

describe('reset', () => {
  it('resets open connections and new ones', async () => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint);
    const client = new Client(proxy);
    client.socket.write('x');
    await client.until('x');
    proxy.set({ kind: 'reset' });
    expect(await client.ended).toBe('ECONNRESET');
    expect(await new Client(proxy).ended).toBe('ECONNRESET');
    proxy.heal();
    const healed = new Client(proxy);
    healed.socket.write('y');
    await healed.until('y');
    expect(server.arrived()).toBe('xy');
  });

  it('can leave open connections alone', async () => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint);
    const client = new Client(proxy);
    client.socket.write('x');
    await client.until('x');
    proxy.set({ kind: 'reset' }, 'new');
    expect(await new Client(proxy).ended).toBe('ECONNRESET');
    client.socket.write('y');
    await client.until('xy');
  });

  it('cuts once', async () => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint);
    const client = new Client(proxy);
    client.socket.write('x');
    await client.until('x');
    proxy.cut();
    expect(await client.ended).toBe('ECONNRESET');
    const next = new Client(proxy);
    next.socket.write('y');
    await next.until('y');
  });

  it.each([0, 3])('resets an answer after %d bytes', async (bytes) => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint, { kind: 'reset-after', bytes });
    const client = new Client(proxy);
    client.socket.write('hello');
    expect(await client.ended).toBe('ECONNRESET');
    expect(server.arrived()).toBe('hello');
    expect(proxy.bytesDown).toBe(bytes);
  });
});

describe('drip', () => {
  it('delivers an answer a few bytes at a time', async () => {
    const server = await echo();
    const proxy = await proxyTo(server.endpoint, { kind: 'drip', bytes: 2, everyMs: 20 });
    const client = new Client(proxy);
    const pieces: number[] = [];
    client.socket.on('data', (chunk) => pieces.push(chunk.length));
    const start = performance.now();
    client.socket.write('abcde');
    client.socket.write('fg');
    await client.until('abcdefg');
    expect(performance.now() - start).toBeGreaterThan(55);
    expect(Math.max(...pieces)).toBeLessThanOrEqual(4);
  });
});

describe('answer', () => {
  const ask = (proxy: TcpProxy, agent: http.Agent): Promise<{ status: number; header: unknown; body: string }> =>
    new Promise((resolve, reject) => {
      const request = http.request(`${proxy.endpoint}/v1/x`, { agent, method: 'POST' }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, header: response.headers['retry-after'], body }),
        );
      });
      request.on('error', reject).end('{"a":1}');
    });

  it('answers in place of the server on open and new connections, and steps aside again', async () => {
    const origin = http.createServer(
      (request, response) => void request.resume().on('end', () => response.end('real')),
    );
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    cleanUp.push(() => new Promise((resolve) => origin.close(resolve)));
    const proxy = await proxyTo(`http://127.0.0.1:${(origin.address() as AddressInfo).port}`);
    const kept = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const fresh = new http.Agent({ keepAlive: false });
    cleanUp.unshift(() => Promise.resolve([kept, fresh].forEach((agent) => agent.destroy())));

    expect((await ask(proxy, kept)).body).toBe('real');
    proxy.set({ kind: 'answer', status: 429, headers: { 'retry-after': '1' }, body: '{"errors":["slow"]}' });
    for (const agent of [kept, kept, fresh]) {
      expect(await ask(proxy, agent)).toEqual({ status: 429, header: '1', body: '{"errors":["slow"]}' });
    }
    proxy.set({ kind: 'answer', status: 503 });
    expect((await ask(proxy, kept)).status).toBe(503);
    expect(proxy.totalConnections).toBe(2);
    proxy.heal();
    expect((await ask(proxy, fresh)).body).toBe('real');
  });

  it('cannot do so behind TLS', async () => {
    const proxy = await proxyTo('https://127.0.0.1:1');
    expect(() => proxy.set({ kind: 'answer', status: 500 })).toThrow('TLS');
  });
});

it('carries TLS without looking into it', async () => {
  const { cert, key, ca } = await createCertificates();
  const origin = https.createServer({ cert, key }, (_, response) => void response.end('secret'));
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  cleanUp.push(() => new Promise((resolve) => origin.close(resolve)));
  const proxy = await proxyTo(`https://127.0.0.1:${(origin.address() as AddressInfo).port}`);
  const [response] = (await once(https.get(proxy.endpoint, { ca, agent: false }), 'response')) as [
    http.IncomingMessage,
  ];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  expect(body).toBe('secret');
});

it('closes with connections open, in any state, twice', async () => {
  const server = await echo();
  const proxy = await proxyTo(server.endpoint);
  const clients = [new Client(proxy), new Client(proxy)];
  await proxy.until(() => proxy.connections === 2);
  proxy.set({ kind: 'black-hole' });
  await proxy.close();
  await proxy.close();
  for (const client of clients) expect(await client.ended).toBe('ECONNRESET');
  await proxy.until(() => proxy.connections === 0);
});
