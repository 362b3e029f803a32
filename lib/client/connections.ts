import type { Dispatcher, Pool } from 'undici';
import type { ConnectorOptions } from './connector.js';
import { Connector } from './connector.js';

const KEEP_ALIVE_MS = 60_000;

/** @internal */
export interface ConnectionOptions extends ConnectorOptions {
  readonly maxConnections: number;
}

/**
 * The kept-alive connections to one server. It uses no proxy, and follows no redirect.
 * @internal
 */
export class Connections {
  readonly #pool: Pool;
  readonly #connector: Connector;

  private constructor(pool: Pool, connector: Connector) {
    this.#pool = pool;
    this.#connector = connector;
  }

  /**
   * Loads undici and reads the certificates; connects nowhere yet.
   *
   * @throws VaultInvalidOptionError for certificates that cannot be read
   */
  static async prepare(options: ConnectionOptions): Promise<Connections> {
    const undici = await import('undici');
    const connector = await Connector.prepare(options, undici);
    const { endpoint, maxConnections } = options;
    const pool = new undici.Pool(endpoint.startsWith('unix:') ? 'http://localhost' : endpoint, {
      connections: maxConnections,
      pipelining: 1,
      // The exchange has one deadline over everything; undici's own would only cut in at other moments.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: connector.connect,
    });
    return new Connections(pool, connector);
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#pool.dispatch(options, handler);
  }

  /** Ends every connection, those included that are only being made. */
  async close(): Promise<void> {
    const closed = this.#pool.destroy();
    this.#connector.close();
    await closed;
  }
}
