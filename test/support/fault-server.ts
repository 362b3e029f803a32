import { randomInt } from 'node:crypto';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';

export * from './fault-scenarios.js';

/** One request as the server received it. The body is complete: an answer starts when the request has been read. */
export interface RecordedRequest {
  readonly method: string;
  /** Path and query, exactly as sent. */
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/**
 * Produces one answer, or withholds it. `response.socket` is there for what HTTP does not allow.
 * Throw only for a mistake in the test: the socket is destroyed and `close()` rejects with the error.
 */
export type FaultHandler = (request: RecordedRequest, response: http.ServerResponse) => void | Promise<void>;

export interface FaultServerOptions {
  /** Serve HTTPS with this key and certificate. */
  readonly tls?: https.ServerOptions;
  /** Default: a free port. Give one to come back on the address of a server that was closed. */
  readonly port?: number;
}

export interface FaultServer {
  /** `http://127.0.0.1:<port>`, or `https://` with the `tls` option. */
  readonly endpoint: string;
  readonly port: number;
  /** Every request so far, oldest first. */
  readonly requests: RecordedRequest[];
  /** TCP connections open now. */
  readonly connections: number;
  /** The most that were ever open at once. */
  readonly peakConnections: number;
  /** All that were ever accepted. */
  readonly totalConnections: number;
  /** Changes the answer to every request from now on. */
  answerWith(handler: FaultHandler): void;
  /** Resolves as soon as the condition holds; it is looked at again whenever a connection or a request comes or goes. */
  until(condition: () => boolean): Promise<void>;
  /** Destroys all open connections and keeps listening: a server that restarted between two requests. */
  dropConnections(): void;
  /** Destroys all connections and frees the port. Rejects with the first error a handler threw. May be called twice. */
  close(): Promise<void>;
}

/**
 * Starts a server on 127.0.0.1 for the answers that a real Vault does not give on demand.
 *
 * @param answer what every request gets (see `fault-scenarios.ts`), or `'deaf'`: connections are accepted and never
 *   read, so not even a TLS handshake completes.
 */
export async function startFaultServer(
  answer: FaultHandler | 'deaf',
  options: FaultServerOptions = {},
): Promise<FaultServer> {
  let handler: FaultHandler = answer === 'deaf' ? () => undefined : answer;
  const requests: RecordedRequest[] = [];
  const handlerErrors: unknown[] = [];
  const sockets = new Set<net.Socket>();
  const waiting = new Set<() => void>();
  let peakConnections = 0;
  let totalConnections = 0;
  const changed = (): void => waiting.forEach((look) => look());

  const listener = (incoming: http.IncomingMessage, response: http.ServerResponse): void => {
    response.on('close', changed);
    record(incoming)
      .then(
        async (request) => {
          requests.push(request);
          changed();
          await handler(request, response);
        },
        // The client went away in the middle of its request: there is nobody to answer.
        () => undefined,
      )
      .catch((error: unknown) => {
        handlerErrors.push(error);
        response.destroy();
      });
  };

  const server = createServer(answer === 'deaf', options.tls, listener);
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    totalConnections += 1;
    peakConnections = Math.max(peakConnections, sockets.size);
    // A fault server lives among broken connections: an error of one of them is its business, not an event.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      changed();
    });
    changed();
  });
  const port = await listen(server, options.port ?? 0);
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        try {
          if (!condition()) return;
          resolve();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  const dropConnections = (): void => sockets.forEach((socket) => socket.destroy());
  let closing: Promise<void> | undefined;

  return {
    endpoint: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    requests,
    get connections() {
      return sockets.size;
    },
    get peakConnections() {
      return peakConnections;
    },
    get totalConnections() {
      return totalConnections;
    },
    answerWith: (next) => void (handler = next),
    until,
    dropConnections,
    close: async () => {
      closing ??= new Promise((resolve) => server.close(() => resolve()));
      dropConnections();
      await closing;
      await until(() => sockets.size === 0);
      if (handlerErrors.length > 0) throw handlerErrors[0];
    },
  };
}

/** Ports that no system gives to whoever asks for any port: those begin at 32768, or higher. */
const [FIRST_PORT, LAST_PORT] = [11_000, 30_000];

/**
 * A port on 127.0.0.1 where nobody listens. It is none that the kernel hands out by itself, as a port that has just been
 * free is soon given to somebody else's server or connection.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = net.createServer();
    try {
      const port = await listen(server, randomInt(FIRST_PORT, LAST_PORT));
      await new Promise((resolve) => server.close(resolve));
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

function createServer(deaf: boolean, tls: https.ServerOptions | undefined, listener: http.RequestListener): net.Server {
  if (deaf) return net.createServer({ pauseOnConnect: true });
  // Deadlines belong to the client under test; those of the server would decide some tests in its place.
  const patient = { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 };
  return tls ? https.createServer({ ...patient, ...tls }, listener) : http.createServer(patient, listener);
}

async function record(incoming: http.IncomingMessage): Promise<RecordedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return {
    method: incoming.method ?? '',
    url: incoming.url ?? '',
    headers: incoming.headers,
    body: Buffer.concat(chunks).toString('utf8'),
  };
}

function listen(server: net.Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
