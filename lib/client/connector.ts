import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { buildConnector } from 'undici';
import type * as Undici from 'undici';
import { TlsFiles } from './tls-files.js';
import type { TlsOptions } from './tls.options.js';

/** How connections to one server are made. @internal */
export interface ConnectorOptions {
  /** Origin of the server, or `unix://` and the path of a socket. */
  readonly endpoint: string;
  readonly tls: TlsOptions;
  readonly connectTimeoutMs: number;
}

/**
 * Makes connections: TCP, unix socket, TLS with the certificates of this moment. It knows every connection that is only
 * being made, so that these can be ended too: undici would leave them to their own deadline.
 * @internal
 */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #build: typeof buildConnector;
  readonly #files: TlsFiles | undefined;
  readonly #connecting = new Set<Socket>();
  #connect: buildConnector.connector | undefined;
  #context: SecureContext | undefined;
  #closed = false;

  private constructor(options: ConnectorOptions, build: typeof buildConnector, files: TlsFiles | undefined) {
    this.#options = options;
    this.#build = build;
    this.#files = files;
  }

  /** Reads the certificates; connects nowhere yet. */
  static async prepare(options: ConnectorOptions, undici: typeof Undici): Promise<Connector> {
    const secure = options.endpoint.startsWith('https:');
    return new Connector(options, undici.buildConnector, secure ? await TlsFiles.load(options.tls) : undefined);
  }

  /** For undici's pool. */
  readonly connect: buildConnector.connector = (options, callback) => {
    void this.#currentConnector().then((connect) => {
      if (this.#closed) return callback(new Error('closed'), null);
      // undici's own connectors return the socket, which their types keep to themselves.
      const socket = connect(options, (...result) => {
        this.#connecting.delete(socket);
        callback(...result);
      }) as unknown as Socket;
      this.#connecting.add(socket);
    });
  };

  /** Ends every connection that is being made, and makes no more. */
  close(): void {
    this.#closed = true;
    for (const socket of this.#connecting) socket.destroy(new Error('closed'));
  }

  /** Another one after the certificates have changed: TLS sessions of the old ones are not to be resumed. */
  async #currentConnector(): Promise<buildConnector.connector> {
    const context = await this.#files?.current();
    if (this.#connect && context === this.#context) return this.#connect;
    const { endpoint, connectTimeoutMs, tls } = this.#options;
    this.#context = context;
    this.#connect = this.#build({
      timeout: connectTimeoutMs,
      ...(endpoint.startsWith('unix:') && { socketPath: endpoint.slice('unix://'.length) }),
      ...(context && { secureContext: context }),
      ...(tls.serverName !== undefined && { servername: tls.serverName }),
      ...(tls.rejectUnauthorized !== undefined && { rejectUnauthorized: tls.rejectUnauthorized }),
    });
    return this.#connect;
  }
}
