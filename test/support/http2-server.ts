import * as http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { createCertificates } from '../../lib/testing/index.js';

/** Answers one request, or withholds the answer. */
export type StreamHandler = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

export interface Http2Server {
  readonly endpoint: string;
  readonly ca: string;
  /** `GET /v1/x`, oldest first. */
  readonly requests: string[];
  /** Every connection so far that is still open. */
  readonly sessions: http2.ServerHttp2Session[];
  /** All TCP connections that were ever accepted. */
  readonly totalConnections: number;
  answerWith(handler: StreamHandler): void;
  /** Resolves as soon as the condition holds. */
  until(condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

/** Starts a server that speaks HTTP/2 only, on 127.0.0.1, for what a real one does not do on demand. */
export async function startHttp2Server(
  answer: StreamHandler,
  settings: http2.Settings = {},
  certificates?: Awaited<ReturnType<typeof createCertificates>>,
): Promise<Http2Server> {
  const { ca, cert, key } = certificates ?? (await createCertificates());
  let handler = answer;
  const requests: string[] = [];
  const sessions: http2.ServerHttp2Session[] = [];
  const sockets = new Set<Socket>();
  const waiting = new Set<() => void>();
  const changed = (): void => waiting.forEach((look) => look());
  let totalConnections = 0;
  const server = http2.createSecureServer({ cert, key, settings });
  server.on('connection', (socket: Socket) => {
    totalConnections += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      changed();
    });
  });
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => undefined);
    session.on('close', () => {
      sessions.splice(sessions.indexOf(session), 1);
      changed();
    });
    changed();
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    requests.push(`${headers[':method']} ${headers[':path']}`);
    handler(stream, headers);
    stream.on('close', changed);
    changed();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca,
    requests,
    sessions,
    get totalConnections() {
      return totalConnections;
    },
    answerWith: (next) => void (handler = next),
    until: (condition) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!condition()) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A JSON answer. */
export function json(body: unknown, status = 200): StreamHandler {
  return (stream) => {
    stream.respond({ ':status': status, 'content-type': 'application/json' });
    stream.end(JSON.stringify(body));
  };
}
