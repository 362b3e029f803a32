import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { buildConnector } from 'undici';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { openTunnel, ProxyFailure } from './proxy-tunnel.js';
import { checkProxy, ENVIRONMENT_PROXY, environmentProxy } from './proxy-address.js';
import type { TlsFiles } from './tls-files.js';
import type { TlsOptions } from './tls.options.js';

/** How connections are made. @internal */
export interface ConnectorOptions {
  readonly tls: TlsOptions;
  readonly connectTimeoutMs: number;
  /** Address of a proxy, which may hold credentials; `environment` for that of the variables. */
  readonly proxy?: string | undefined;
}

type Connectors = Readonly<Record<'http1' | 'http2' | 'proxy', buildConnector.connector>>;
type Done = (error: Error | null, socket: Socket | null) => void;

/**
 * Makes connections to one endpoint: TCP, unix socket, through a proxy, TLS with the current certificates. It knows every
 * connection that is still being established, so that these can be ended too: undici would leave them to their own deadline.
 * @internal
 */
export class Connector {
  readonly #endpoint: string;
  readonly #options: ConnectorOptions;
  readonly #build: typeof buildConnector;
  readonly #files: TlsFiles | undefined;
  readonly #proxy: URL | undefined;
  readonly #connecting = new Set<Socket>();
  #context: SecureContext | undefined;
  #connectors: Connectors;
  #closed = false;

  /**
   * @param endpoint scheme, host, port and perhaps a path prefix, or `unix://` and the path of a socket
   * @param files certificates; `undefined` when no connection uses TLS
   * @throws VaultInvalidOptionError for a proxy and a unix socket
   */
  constructor(endpoint: string, options: ConnectorOptions, build: typeof buildConnector, files: TlsFiles | undefined) {
    const proxy = proxyFor(options.proxy, endpoint);
    if (proxy !== undefined && endpoint.startsWith('unix:')) {
      throw new VaultInvalidOptionError(
        '"request.proxy" (VAULT_PROXY_ADDR) cannot be used with an "endpoint" that is a unix socket. Leave one of them out.',
      );
    }
    this.#endpoint = endpoint;
    this.#options = options;
    this.#build = build;
    this.#files = files;
    this.#proxy = proxy === undefined ? undefined : new URL(proxy);
    this.#context = files?.latest;
    this.#connectors = this.#buildAll();
  }

  /** What connections are secured with, as the files were when they were last looked at. */
  get context(): SecureContext | undefined {
    return this.#files?.latest;
  }

  /** The same, as the files are now. */
  async currentContext(): Promise<SecureContext | undefined> {
    return this.#files?.current();
  }

  /** For undici's pool. */
  readonly connect: buildConnector.connector = (options, callback) => {
    this.#start('http1', options, callback as Done);
  };

  /** A TLS connection that offers HTTP/2; `alpnProtocol` of the socket says what the server has chosen. */
  connectHttp2(callback: Done): void {
    const { hostname, host, protocol, port } = new URL(this.#endpoint);
    this.#start('http2', { hostname: hostname.replace(/^\[|\]$/g, ''), host, protocol, port }, callback);
  }

  /** Ends every connection that is being made, and makes no more. */
  close(): void {
    this.#closed = true;
    for (const socket of this.#connecting) socket.destroy(new Error('closed'));
  }

  #start(protocol: 'http1' | 'http2', options: buildConnector.Options, done: Done): void {
    void this.#refresh().then(() => {
      const connect = this.#connectors[protocol];
      const proxy = this.#proxy;
      if (!proxy) return this.#watch(connect, options, done);
      const { hostname, protocol: scheme } = proxy;
      const port = proxy.port || (scheme === 'https:' ? '443' : '80');
      const toProxy = { hostname: hostname.replace(/^\[|\]$/g, ''), host: proxy.host, protocol: scheme, port };
      this.#watch(this.#connectors.proxy, toProxy, (error, socket) => {
        if (!socket)
          return done(new ProxyFailure(proxy.origin, (error as NodeJS.ErrnoException).code ?? 'closed'), null);
        this.#tunnel(socket, proxy, options, connect, done);
      });
    });
  }

  #tunnel(
    socket: Socket,
    proxy: URL,
    options: buildConnector.Options,
    connect: buildConnector.connector,
    done: Done,
  ): void {
    const secure = options.protocol === 'https:';
    const target = `${options.hostname.includes(':') ? `[${options.hostname}]` : options.hostname}:${options.port || (secure ? 443 : 80)}`;
    this.#connecting.add(socket);
    openTunnel(socket, proxy, target, this.#options.connectTimeoutMs, (failure) => {
      this.#connecting.delete(socket);
      if (failure) done(failure, null);
      else if (secure) this.#watch(connect, { ...options, httpSocket: socket }, done);
      else done(null, socket);
    });
  }

  /** Keeps the socket in `#connecting` until it is connected or has failed. */
  #watch(connect: buildConnector.connector, options: buildConnector.Options, done: Done): void {
    if (this.#closed) return done(new Error('closed'), null);
    // undici's own connectors return the socket, which their types keep to themselves.
    const socket = connect(options, (error, connected) => {
      this.#connecting.delete(socket);
      done(error, connected);
    }) as unknown as Socket;
    this.#connecting.add(socket);
  }

  /** Other connectors after the certificates have changed: TLS sessions of the old ones are not to be resumed. */
  async #refresh(): Promise<void> {
    const context = await this.#files?.current();
    if (context === this.#context) return;
    this.#context = context;
    this.#connectors = this.#buildAll();
  }

  #buildAll(): Connectors {
    const endpoint = this.#endpoint;
    const { connectTimeoutMs: timeout, tls } = this.#options;
    const secure = this.#context && { secureContext: this.#context };
    const toServer = {
      timeout,
      ...secure,
      ...(endpoint.startsWith('unix:') && { socketPath: endpoint.slice('unix://'.length) }),
      ...(tls.serverName !== undefined && { servername: tls.serverName }),
      ...(tls.rejectUnauthorized !== undefined && { rejectUnauthorized: tls.rejectUnauthorized }),
    };
    return {
      http1: this.#build(toServer),
      http2: this.#build({ ...toServer, allowH2: true }),
      proxy: this.#build({ timeout, ...secure }),
    };
  }
}

/**
 * The proxy for an endpoint, from the variables if the option says so.
 *
 * @throws VaultInvalidOptionError for a variable that is not the address of a proxy
 * @internal
 */
export function proxyFor(proxy: string | undefined, endpoint: string): string | undefined {
  if (proxy !== ENVIRONMENT_PROXY) return proxy;
  const found = environmentProxy(endpoint);
  return found && checkProxy(found.value, found.name);
}
