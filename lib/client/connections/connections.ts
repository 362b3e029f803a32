import type { Socket } from 'node:net';
import type * as Undici from 'undici';
import type { Dispatcher, Pool } from 'undici';
import type { ConnectorOptions } from './connector.js';
import { Connector } from './connector.js';
import { interop } from '../interop.js';
import { Http2Connection } from './http2-connection.js';

const KEEP_ALIVE_MS = 60_000;
/** How often, at most, certificates in files are looked at while the connections made with them are in use. */
const CERTIFICATE_CHECK_MS = 10_000;

/** @internal */
export interface ConnectionOptions extends ConnectorOptions {
  /** Of HTTP/1.1; HTTP/2 takes one for all. */
  readonly maxConnections: number;
  /** Whether HTTP/2 is offered where there is TLS. Default: `true`. */
  readonly http2?: boolean | undefined;
}

/**
 * The kept-alive connections to one server: one of HTTP/2 if the server takes it, else a pool of HTTP/1.1. It follows no
 * redirect, and uses a proxy only if it was given one.
 * @internal
 */
export class Connections {
  readonly #undici: typeof Undici;
  readonly #options: ConnectionOptions;
  readonly #connector: Connector;
  readonly #pools = new Set<Pool>();
  #pool: Pool;
  #http2: Http2Connection | undefined;
  #onlyHttp1 = false;
  /** A connection that was made for HTTP/2, and turned out to be the pool's. */
  #spare: Socket | undefined;
  #nextCheck = performance.now() + CERTIFICATE_CHECK_MS;

  private constructor(undici: typeof Undici, options: ConnectionOptions, connector: Connector) {
    this.#undici = undici;
    this.#options = options;
    this.#connector = connector;
    this.#pool = this.#createPool();
  }

  /**
   * Loads undici and reads the certificates; connects nowhere yet.
   *
   * @throws VaultInvalidOptionError for certificates that cannot be read
   */
  static async prepare(options: ConnectionOptions): Promise<Connections> {
    const undici = interop(await import('undici'), 'Pool');
    const connections = new Connections(undici, options, await Connector.prepare(options, undici));
    if (options.http2 !== false && options.endpoint.startsWith('https:')) {
      connections.#http2 = new Http2Connection(
        await import('node:http2'),
        options.endpoint,
        (callback) => connections.#connector.connectHttp2(callback),
        (socket) => connections.#fallBack(socket),
      );
    }
    return connections;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    if (performance.now() >= this.#nextCheck) this.#checkCertificates();
    (this.#onlyHttp1 ? this.#pool : (this.#http2 ?? this.#pool)).dispatch(options, handler);
  }

  /** Ends every connection, those included that are only being made. */
  async close(): Promise<void> {
    const error = new this.#undici.errors.ClientDestroyedError();
    const closed = [...this.#pools].map((pool) => pool.destroy(error));
    if (this.#http2) closed.push(this.#http2.close(error));
    this.#connector.close();
    this.#spare?.destroy();
    await Promise.all(closed);
  }

  #createPool(): Pool {
    const { endpoint, maxConnections } = this.#options;
    const pool = new this.#undici.Pool(endpoint.startsWith('unix:') ? 'http://localhost' : endpoint, {
      connections: maxConnections,
      pipelining: 1,
      // The exchange has one deadline over everything; undici's own would only cut in at other moments.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: (options, callback) => {
        const spare = this.#spare;
        this.#spare = undefined;
        // undici expects no connection before it has returned from asking for one.
        if (spare?.readable && spare.writable) queueMicrotask(() => callback(null, spare));
        else this.#connector.connect(options, callback);
      },
    });
    this.#pools.add(pool);
    return pool;
  }

  /** The server takes no HTTP/2: from now on everything goes over the pool, beginning with this connection. */
  #fallBack(socket: Socket): Dispatcher {
    this.#onlyHttp1 = true;
    this.#spare = socket;
    return this.#pool;
  }

  /**
   * A connection lives as long as it is used, which may be longer than the client certificate it was made with. After a
   * change, new calls get new connections; those under way finish on the old ones.
   */
  #checkCertificates(): void {
    this.#nextCheck = Infinity;
    void this.#connector.changed().then((changed) => {
      this.#nextCheck = performance.now() + CERTIFICATE_CHECK_MS;
      if (!changed) return;
      this.#http2?.renew();
      const old = this.#pool;
      this.#pool = this.#createPool();
      void old.close().then(() => this.#pools.delete(old));
    });
  }
}
