import type { Socket } from 'node:net';
import type { Dispatcher, Pool, buildConnector } from 'undici';
import type { TransportOptions } from './transport.options.js';

const KEEP_ALIVE_MS = 60_000;

/**
 * The kept-alive connections to one server. It uses no proxy, and follows no redirect.
 * @internal
 */
export class Connections {
  readonly #pool: Pool;
  readonly #connecting: ReadonlySet<Socket>;

  private constructor(pool: Pool, connecting: ReadonlySet<Socket>) {
    this.#pool = pool;
    this.#connecting = connecting;
  }

  /** Loads undici; connects nowhere yet. */
  static async prepare(options: TransportOptions): Promise<Connections> {
    const undici = await import('undici');
    const connecting = new Set<Socket>();
    const pool = new undici.Pool(options.endpoint, {
      connections: options.maxConnections,
      pipelining: 1,
      // The exchange has one deadline over everything; undici's own would only cut in at other moments.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: watch(undici.buildConnector(connectOptions(options)), connecting),
    });
    return new Connections(pool, connecting);
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#pool.dispatch(options, handler);
  }

  /** Ends every connection, those included that are only being made: undici would leave these to their own deadline. */
  async close(): Promise<void> {
    const closed = this.#pool.destroy();
    for (const socket of this.#connecting) socket.destroy(new Error('closed'));
    await closed;
  }
}

/** Keeps the sockets in `connecting` until they are connected or have failed. */
function watch(connect: buildConnector.connector, connecting: Set<Socket>): buildConnector.connector {
  return (options, callback) => {
    // undici's own connectors return the socket, which their types keep to themselves.
    const socket = connect(options, (...result) => {
      connecting.delete(socket);
      callback(...result);
    }) as unknown as Socket;
    connecting.add(socket);
  };
}

function connectOptions({ connectTimeoutMs, tls }: TransportOptions): buildConnector.BuildOptions {
  return {
    timeout: connectTimeoutMs,
    minVersion: 'TLSv1.2',
    ...(tls.ca !== undefined && { ca: tls.ca as string }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
    ...(tls.passphrase !== undefined && { passphrase: tls.passphrase }),
    ...(tls.serverName !== undefined && { servername: tls.serverName }),
    ...(tls.rejectUnauthorized !== undefined && { rejectUnauthorized: tls.rejectUnauthorized }),
  };
}
