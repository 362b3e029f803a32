import type { VaultConsistency } from './consistency.js';
import type { VaultRateLimit } from './rate-limiter.js';
import type { TlsOptions } from './connections/tls.options.js';

/**
 * What applies to every call.
 * @publicApi
 */
export interface VaultRequestOptions {
  /** Deadline of a whole call, with connecting, waiting, repeating and redirects, in milliseconds. Default: `VAULT_CLIENT_TIMEOUT`, else 15 000. */
  readonly timeoutMs?: number;
  /** Deadline of establishing a connection, in milliseconds. Default: 5 000. */
  readonly connectTimeoutMs?: number;
  /** Connections of HTTP/1.1 kept open to one server at most; HTTP/2 takes one. Default: 8. */
  readonly maxConnections?: number;
  /**
   * Further headers of every call, such as one that a gateway asks for. Those that start with `X-Vault-`, and those of the
   * connection and the body, are the module's own. Values are kept out of logs and errors. Default: `VAULT_HEADERS`.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Whether HTTP/2 is offered where there is TLS: all calls then share one connection. A server that does not take it is
   * served by HTTP/1.1. Default: `true`.
   */
  readonly http2?: boolean;
  /**
   * Proxy between this machine and the server: `http://` or `https://`, host and port, and before them user name and
   * password if it wants some, which are kept out of logs and errors. It is asked to connect through (CONNECT), so that
   * TLS goes on to the server itself. `environment` follows `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, which are not read
   * otherwise.
   * Default: `VAULT_PROXY_ADDR`, else `VAULT_HTTP_PROXY`, else none.
   */
  readonly proxy?: string;
  /** Whether one redirect per call is followed, within the configured address. Default: `true`, unless `VAULT_DISABLE_REDIRECTS` is set. */
  readonly redirects?: boolean;
  /**
   * How often a call is repeated after a failure that may pass, within its deadline. 0 repeats nothing. A write is
   * repeated only when the server surely has not acted on it. Default: `VAULT_MAX_RETRIES`, else 2.
   */
  readonly retries?: number;
  /**
   * Requests this client sends at most; more of them wait for their turn within their deadline. Text is read as
   * `rate[:burst]`. Default: `VAULT_RATE_LIMIT`, else no limit.
   */
  readonly rateLimit?: VaultRateLimit | string;
  /** What reads may miss in a cluster whose standbys answer reads. Default: `off`. */
  readonly consistency?: VaultConsistency;
}

/** What a client needs to know, checked and complete. @internal */
export interface ClientOptions {
  /** The server, or the first of several. */
  readonly endpoint: string;
  /** Other servers of the same cluster. */
  readonly otherEndpoints?: readonly string[] | undefined;
  readonly namespace?: string | undefined;
  readonly tls: TlsOptions;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
  /** Sent with every call. Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: `true`. */
  readonly redirects?: boolean;
  /** Default here: none. */
  readonly retries?: number | undefined;
  readonly rateLimit?: VaultRateLimit | undefined;
  /** Default: `off`. */
  readonly consistency?: VaultConsistency | undefined;
  /** Default: `true`. */
  readonly http2?: boolean;
  /** Checked; may hold credentials. */
  readonly proxy?: string | undefined;
}
