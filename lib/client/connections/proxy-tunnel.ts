import { request } from 'node:http';
import type { Socket } from 'node:net';

/** A proxy that cannot be reached, or that refuses. The transport turns it into an error for people. @internal */
export class ProxyFailure extends Error {
  constructor(
    /** Scheme, host and port, without the credentials in its address. */
    readonly proxy: string,
    /** errno, or the status of its response. */
    readonly reason: string,
  ) {
    super('proxy');
  }
}

/**
 * Asks the proxy at the other end of a socket to connect it through, by HTTP's CONNECT.
 *
 * @param target host and port to connect to through the proxy
 * @param callback called once; with an error the socket is gone
 * @internal
 */
export function openTunnel(
  socket: Socket,
  proxy: URL,
  target: string,
  timeoutMs: number,
  callback: (error: ProxyFailure | null) => void,
): void {
  const call = request({
    method: 'CONNECT',
    path: target,
    headers: { host: target, ...authorization(proxy) },
    // Without an agent, Node takes the socket from here.
    createConnection: () => socket,
  });
  let over = false;
  const end = (reason?: string): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    if (reason !== undefined) socket.destroy();
    callback(reason === undefined ? null : new ProxyFailure(proxy.origin, reason));
  };
  const timer = setTimeout(() => end('ETIMEDOUT'), timeoutMs);
  // Anything but 2xx does not open a tunnel; Node announces both with the same event.
  call.on('connect', ({ statusCode = 0 }, _, head: Buffer) => {
    if (head.length > 0) socket.unshift(head);
    end(statusCode >= 200 && statusCode < 300 ? undefined : `status ${statusCode}`);
  });
  call.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'closed'));
  call.on('close', () => end('closed'));
  call.end();
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}
