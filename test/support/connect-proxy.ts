import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import * as net from 'node:net';

export interface ConnectProxy {
  readonly port: number;
  /** What it was asked for: the target and the credentials. */
  readonly asked: { readonly target: string | undefined; readonly authorization: string | undefined }[];
  /** Destroys all connections. */
  close(): Promise<void>;
}

/** A proxy for CONNECT; `answer` instead of a tunnel when it is given. */
export async function startConnectProxy(answer?: string, tls?: https.ServerOptions): Promise<ConnectProxy> {
  const asked: { target: string | undefined; authorization: string | undefined }[] = [];
  const sockets = new Set<net.Socket>();
  const server = tls ? https.createServer(tls) : http.createServer();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.on('connect', (request: http.IncomingMessage, socket: net.Socket) => {
    socket.on('error', () => undefined);
    asked.push({ target: request.url, authorization: request.headers['proxy-authorization'] });
    if (answer !== undefined) return void (answer === '' ? undefined : socket.end(answer));
    const { hostname, port } = new URL(`http://${request.url}`);
    const upstream = net.connect(Number(port), hostname.replace(/^\[|\]$/g, ''), () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
    });
    sockets.add(upstream);
    upstream.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { port: (server.address() as AddressInfo).port, asked, close };
}
