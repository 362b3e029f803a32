import type * as Http2 from 'node:http2';
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type * as Undici from 'undici';
import type { Dispatcher, Pool } from 'undici';
import { interop } from '../../options/optional-package.js';
import type { ConnectorOptions } from './connector.js';
import { Connector, proxyFor } from './connector.js';
import { Http2Connection } from './http2-connection.js';
import { TlsFiles } from './tls-files.js';

const KEEP_ALIVE_MS = 60_000;
/** How often, at most, certificate files are checked while the connections made with them are in use. */
const CERTIFICATE_CHECK_INTERVAL_MS = 10_000;

/** Codes of undici for a request that it does not send. */
const REJECTED_BY_POOL: readonly unknown[] = ['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED'];

/** @internal */
export interface ConnectionOptions extends ConnectorOptions {
  /** Of HTTP/1.1; HTTP/2 takes one for all. */
  readonly maxConnections: number;
  /** Whether HTTP/2 is offered where there is TLS. Default: `true`. */
  readonly http2?: boolean | undefined;
}

/** The connections to one endpoint. @internal */
export interface HttpConnections {
  /** @param options the path is below the prefix of the endpoint; the body is a string */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void;
  /** Called with the error of a request that never had a connection. */
  recoverFrom?(error: unknown): void;
  /** Ends every connection; requests under way fail. */
  close(): Promise<void>;
}

/** Makes the connections to an endpoint: the part of the client that a server in the same process replaces. @internal */
export type Connect = (endpoint: string) => HttpConnections;

/**
 * Loads undici and reads the certificates; connects nowhere. `Connect` throws `VaultInvalidOptionError` for a proxy that cannot
 * be used with the endpoint.
 *
 * @param endpoints addresses that `Connect` will be called with
 * @throws VaultInvalidOptionError for certificates that cannot be read
 * @internal
 */
export async function prepareConnect(options: ConnectionOptions, endpoints: readonly string[]): Promise<Connect> {
  const undici = interop(await import('undici'), 'Pool');
  const secure = endpoints.some(
    (endpoint) => endpoint.startsWith('https:') || proxyFor(options.proxy, endpoint)?.startsWith('https:'),
  );
  const files = secure ? await TlsFiles.load(options.tls) : undefined;
  const http2 = options.http2 !== false && secure ? await import('node:http2') : undefined;
  return (endpoint) => new Connections(endpoint, options, undici, http2, files);
}

/**
 * The kept-alive connections to one server: one of HTTP/2 if the server supports it, otherwise a pool of HTTP/1.1. They follow
 * no redirect, and use a proxy only if one is configured.
 */
class Connections implements HttpConnections {
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
  /** A connection that was made for HTTP/2 to a server that supports HTTP/1.1 only: the pool's first one. */
  #spare: Socket | undefined;
  #nextCheck = performance.now() + CERTIFICATE_CHECK_INTERVAL_MS;
  /** What the connections of the pool were secured with when it was made. */
  #poolContext: SecureContext | undefined;

  constructor(
    endpoint: string,
    options: ConnectionOptions,
    undici: typeof Undici,
    http2: typeof Http2 | undefined,
    files: TlsFiles | undefined,
  ) {
    const { origin, pathname, protocol } = new URL(endpoint.startsWith('unix:') ? 'http://localhost' : endpoint);
    this.#undici = undici;
    this.#options = options;
    this.#connector = new Connector(endpoint, options, undici.buildConnector, files);
    this.#origin = origin;
    this.#prefix = pathname === '/' ? '' : pathname;
    this.#pool = this.#createPool();
    if (http2 && protocol === 'https:') {
      this.#http2 = new Http2Connection(
        http2,
        origin,
        (callback) => this.#connector.connectHttp2(callback),
        (socket) => this.#fallBack(socket),
      );
    }
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    if (performance.now() >= this.#nextCheck) this.#checkCertificates();
    // The caller made the object for this request.
    if (this.#prefix !== '') options.path = this.#prefix + options.path;
    (this.#onlyHttp1 ? this.#pool : (this.#http2 ?? this.#pool)).dispatch(options, handler);
  }

  /**
   * A pool that has rejected a request takes the connection meant for it for a busy one, and waits forever for it to become
   * free: it is replaced.
   */
  recoverFrom(error: unknown): void {
    if (REJECTED_BY_POOL.includes((error as { code?: unknown } | undefined)?.code)) this.#replacePool();
  }

  /** Ends every connection, also those that are still being established. */
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
      // The exchange has one deadline for everything.
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

  /** The server does not support HTTP/2: from now on all requests use the pool, whose first connection is this one. */
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
      this.#nextCheck = performance.now() + CERTIFICATE_CHECK_INTERVAL_MS;
      // Not compared with the last connection's: that may be newer than the others of the pool.
      if (context === this.#poolContext) return;
      this.#http2?.rotate();
      this.#replacePool();
    });
  }
}
