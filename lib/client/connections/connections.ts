import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type * as Undici from 'undici';
import type { Dispatcher, Pool } from 'undici';
import type { ConnectorOptions } from './connector.js';
import { Connector } from './connector.js';
import { interop } from '../interop.js';
import { Http2Connection } from './http2-connection.js';

const KEEP_ALIVE_MS = 60_000;
/** How often, at most, certificates in files are looked at while the connections made with them are in use. */
const CERTIFICATE_CHECK_MS = 10_000;

/** Codes of undici for a request that it does not send. */
const REFUSED_BY_POOL: readonly unknown[] = ['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED'];

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
  /** Without a path; of a unix socket, what HTTP calls the server. */
  readonly #origin: string;
  /** Path before that of every request, such as `/vault`. */
  readonly #prefix: string;
  readonly #pools = new Set<Pool>();
  #pool: Pool;
  #http2: Http2Connection | undefined;
  #onlyHttp1 = false;
  /** A connection that was made for HTTP/2, and turned out to be the pool's. */
  #spare: Socket | undefined;
  #nextCheck = performance.now() + CERTIFICATE_CHECK_MS;
  /** What the connections of the pool were secured with when it was made. */
  #poolContext: SecureContext | undefined;

  private constructor(undici: typeof Undici, options: ConnectionOptions, connector: Connector) {
    this.#undici = undici;
    this.#options = options;
    this.#connector = connector;
    const { origin, pathname } = new URL(options.endpoint.startsWith('unix:') ? 'http://localhost' : options.endpoint);
    this.#origin = origin;
    this.#prefix = pathname === '/' ? '' : pathname;
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
        connections.#origin,
        (callback) => connections.#connector.connectHttp2(callback),
        (socket) => connections.#fallBack(socket),
      );
    }
    return connections;
  }

  /** @param request its path is below the prefix of the endpoint */
  dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    if (performance.now() >= this.#nextCheck) this.#checkCertificates();
    const options = this.#prefix === '' ? request : { ...request, path: this.#prefix + request.path };
    (this.#onlyHttp1 ? this.#pool : (this.#http2 ?? this.#pool)).dispatch(options, handler);
  }

  /**
   * Called with the error of a request that never had a connection. A pool that has refused a request takes the connection
   * meant for it for a busy one, and waits forever for it to become free: it is replaced.
   */
  recoverFrom(error: unknown): void {
    if (REFUSED_BY_POOL.includes((error as { code?: unknown } | undefined)?.code)) this.#replacePool();
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

  /** New calls get new connections; those under way finish on the old ones. */
  #replacePool(): void {
    const old = this.#pool;
    this.#pool = this.#createPool();
    // A pool that has been destroyed meanwhile has nothing left to close.
    const forget = (): void => void this.#pools.delete(old);
    void old.close().then(forget, forget);
  }

  #createPool(): Pool {
    this.#poolContext = this.#connector.context;
    const pool = new this.#undici.Pool(this.#origin, {
      connections: this.#options.maxConnections,
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
    void this.#connector.currentContext().then((context) => {
      this.#nextCheck = performance.now() + CERTIFICATE_CHECK_MS;
      // Not compared with the last connection's: that may be newer than the others of the pool.
      if (context === this.#poolContext) return;
      this.#http2?.renew();
      this.#replacePool();
    });
  }
}
