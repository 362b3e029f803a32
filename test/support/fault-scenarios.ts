import * as http from 'node:http';
import * as https from 'node:https';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import type { FaultHandler, RecordedRequest } from './fault-server.js';
import { resetSocket } from './reset-socket.js';

const JSON_TYPE = { 'content-type': 'application/json' };

/** Status, headers and body as given; no body when it is empty. */
export function answer(
  status: number,
  headers: http.OutgoingHttpHeaders = {},
  body: string | Buffer = '',
): FaultHandler {
  return (_request, response) => {
    response.writeHead(status, headers).end(body);
  };
}

/** Status and a JSON body. */
export function json(status: number, body: unknown, headers: http.OutgoingHttpHeaders = {}): FaultHandler {
  return answer(status, { ...JSON_TYPE, ...headers }, JSON.stringify(body));
}

/** An error in Vault's own form, `{"errors":[…]}`. */
export function vaultError(
  status: number,
  errors: string[] = [],
  headers: http.OutgoingHttpHeaders = {},
): FaultHandler {
  return json(status, { errors }, headers);
}

/** What a sealed server says to every request except the status ones. */
export function sealed(): FaultHandler {
  return vaultError(503, ['Vault is sealed']);
}

/** A quota that is used up; `retryAfter` in seconds, or an HTTP date. */
export function rateLimited(retryAfter: number | string): FaultHandler {
  return vaultError(429, ['request path "": rate limit quota exceeded'], { 'retry-after': String(retryAfter) });
}

/** Sends the client elsewhere. */
export function redirect(location: string, status = 307): FaultHandler {
  return answer(status, { location });
}

/** A login page where JSON was expected. */
export function html(status = 200, body = '<html>login</html>'): FaultHandler {
  return answer(status, { 'content-type': 'text/html' }, body);
}

/** A JSON content type over a body that is none. */
export function malformedJson(status = 200, body = '{"data":{"a":1,'): FaultHandler {
  return answer(status, JSON_TYPE, body);
}

/** A compressed JSON body. */
export function gzipped(body: unknown): FaultHandler {
  return answer(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }, gzipSync(JSON.stringify(body)));
}

/** Reads the request and stays silent with the connection open. */
export function silent(): FaultHandler {
  return () => undefined;
}

/** Closes the connection in good order without a single byte of an answer. */
export function hangUp(): FaultHandler {
  return (_request, response) => {
    response.socket?.end();
  };
}

/** Resets the connection without a single byte of an answer. */
export function reset(): FaultHandler {
  return (_request, response) => abort(response);
}

/** Announces more bytes than it sends, then closes: `with: 'reset'` for a TCP reset instead of an orderly end. */
export function truncated(options: { with?: 'end' | 'reset' } = {}): FaultHandler {
  return async (_request, response) => {
    const body = '{"data":{"a":"';
    response.writeHead(200, { ...JSON_TYPE, 'content-length': body.length + 100 });
    await new Promise((resolve) => response.write(body, resolve));
    if (options.with === 'reset') abort(response);
    else response.socket?.end();
  };
}

/** A valid JSON body of that size in MiB, streamed no faster than it is read; chunked unless its length is declared. */
export function huge(mebibytes: number, options: { declareLength?: boolean } = {}): FaultHandler {
  return async (_request, response) => {
    const [head, tail] = ['{"data":{"a":"', '"}}'];
    const block = Buffer.alloc(1024 * 1024, 'x');
    const length = head.length + mebibytes * block.length + tail.length;
    response.writeHead(200, options.declareLength ? { ...JSON_TYPE, 'content-length': length } : JSON_TYPE);
    const body = function* (): Generator<string | Buffer> {
      yield head;
      for (let sent = 0; sent < mebibytes; sent += 1) yield block;
      yield tail;
    };
    await pipeline(body, response).catch(ignoreDisconnect(response));
  };
}

/** A valid JSON body, one byte every `intervalMs` milliseconds: each wait is short, the whole takes for ever. */
export function drip(body: unknown, intervalMs = 20): FaultHandler {
  return async (_request, response) => {
    response.writeHead(200, JSON_TYPE).flushHeaders();
    for (const byte of Buffer.from(JSON.stringify(body))) {
      await delay(intervalMs, undefined, { ref: false });
      if (response.destroyed) return;
      response.write(Buffer.of(byte));
    }
    response.end();
  };
}

/** One answer after another; the last one stays. */
export function inTurn(...handlers: [FaultHandler, ...FaultHandler[]]): FaultHandler {
  let turn = 0;
  return (request, response) => {
    const handler = handlers[Math.min(turn, handlers.length - 1)] as FaultHandler;
    turn += 1;
    return handler(request, response);
  };
}

/** Decides about one request on its way: answer it, or call `forward()`, at once or later. */
export type Interceptor = (
  request: RecordedRequest,
  response: http.ServerResponse,
  forward: () => Promise<void>,
) => void | Promise<void>;

/**
 * Passes requests on to a real server, except those that `intercept` answers by itself. Status, headers and body come
 * back untouched. When the real server cannot be reached the connection is destroyed.
 */
export function forwardTo(
  endpoint: string,
  options: { intercept?: Interceptor; ca?: string | Buffer; prefix?: string } = {},
): FaultHandler {
  const base = new URL(endpoint);
  const { prefix = '' } = options;
  const { request: send } = base.protocol === 'https:' ? https : http;
  return (request, response) => {
    if (!request.url.startsWith(`${prefix}/`)) return void response.writeHead(404).end('nothing here');
    const forward = async (): Promise<void> => {
      // Framing and connection headers belong to one hop; Node writes its own for the next.
      const upstream = send({
        hostname: base.hostname,
        port: base.port,
        method: request.method,
        path: request.url.slice(prefix.length),
        headers: {
          ...without(request.headers, 'content-length', 'transfer-encoding'),
          host: base.host,
          connection: 'close',
        },
        agent: false,
        ca: options.ca,
      });
      response.on('close', () => upstream.destroy());
      try {
        const reply = await new Promise<http.IncomingMessage>((resolve, reject) => {
          upstream.on('response', resolve).on('error', reject).end(request.body);
        });
        response.writeHead(reply.statusCode ?? 502, without(reply.headers, 'connection'));
        await pipeline(reply, response);
      } catch {
        response.destroy();
      }
    };
    return options.intercept ? options.intercept(request, response, forward) : forward();
  };
}

function without(headers: http.IncomingHttpHeaders, ...names: string[]): http.OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

/** A TCP reset; over TLS, which Node cannot reset, an end without the closing handshake. */
function abort(response: http.ServerResponse): void {
  if (response.socket instanceof TLSSocket) response.socket.destroy();
  else if (response.socket) resetSocket(response.socket);
}

function ignoreDisconnect(response: http.ServerResponse): (error: unknown) => void {
  return (error) => {
    if (!response.destroyed) throw error;
  };
}
