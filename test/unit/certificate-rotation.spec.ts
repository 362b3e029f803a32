import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import * as https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, expect, it, jest } from '@jest/globals';
import { createCertificates } from '../../lib/testing/index.js';
import { startConnectProxy } from '../support/connect-proxy.js';
import { createClient } from '../support/vault-client.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  jest.restoreAllMocks();
});

/** A server of HTTP/1.1 that holds each response until it is released, and notes the client certificate of each request. */
async function startServer(authorities: string[]) {
  const { ca, cert, key } = await createCertificates();
  const seen: string[] = [];
  const held: (() => void)[] = [];
  const sockets = new Set<Socket>();
  const server = https.createServer({ cert, key, ca: authorities, requestCert: true, rejectUnauthorized: false });
  server.on('secureConnection', (socket) => sockets.add(socket.on('error', () => undefined)));
  let notify = (): void => undefined;
  server.on('request', (request: { socket: TLSSocket }, response: ServerResponse) => {
    seen.push(request.socket.getPeerCertificate().serialNumber);
    held.push(() => response.setHeader('content-type', 'application/json').end('{"data":{}}'));
    notify();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca,
    seen,
    /** Resolves once that many requests are held. */
    requests: (count: number) =>
      new Promise<void>((resolve) => {
        notify = () => (held.length >= count ? resolve() : undefined);
        notify();
      }),
    release: () => held.splice(0).forEach((answer) => answer()),
  };
}

it.each(['directly', 'through a proxy'])(
  'a rotated client certificate replaces all connections of HTTP/1.1, also after one was opened with it, %s',
  async (way) => {
    const [first, second] = await Promise.all([
      createCertificates({ client: true }),
      createCertificates({ client: true }),
    ]);
    const folder = await mkdtemp(join(tmpdir(), 'certificate-rotation-'));
    ends.push(() => rm(folder, { recursive: true }));
    const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
    const install = async (client: typeof first.client): Promise<void> => {
      await writeFile(cert, client?.cert ?? '');
      await writeFile(key, client?.key ?? '');
    };
    await install(first.client);
    const server = await startServer([first.ca, second.ca]);
    const proxy = way === 'directly' ? undefined : await startConnectProxy();
    if (proxy) ends.push(() => proxy.close());
    const client = await createClient(server.endpoint, 'token', {
      tls: { ca: server.ca, cert: { file: cert }, key: { file: key } },
      http2: false,
      maxConnections: 2,
      ...(proxy && { proxy: `http://127.0.0.1:${proxy.port}/` }),
    });
    ends.push(() => client.close());
    const call = () => client.request({ method: 'GET', path: 'x' });

    // One connection with the first certificate, then a second one with the second certificate.
    const calls = [call()];
    await server.requests(1);
    await install(second.client);
    calls.push(call());
    await server.requests(2);
    server.release();
    await Promise.all(calls);
    const [old, fresh] = server.seen;
    expect(old).not.toBe(fresh);

    const now = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
    // Files are looked at beside the calls: the old connection may serve a few more.
    const pair = async (): Promise<string[]> => {
      const both = [call(), call()];
      await server.requests(2);
      server.release();
      await Promise.all(both);
      return server.seen.slice(-2);
    };
    let attempts = 0;
    while ((await pair()).includes(old as string)) expect((attempts += 1)).toBeLessThan(50);
    expect(await pair()).toEqual([fresh, fresh]);
  },
);
