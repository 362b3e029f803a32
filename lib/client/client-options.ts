import type { VaultConsistency } from './consistency.js';
import type { VaultRateLimit } from './rate-limiter.js';
import type { TlsOptions } from './connections/tls.options.js';

/**
 * Options that apply to every call.
 * @publicApi
 */
export interface VaultRequestOptions {
  /**
   * Deadline of a whole call in milliseconds, including connecting, waiting, retries and redirects. Default:
   * `VAULT_CLIENT_TIMEOUT`, else 15 000.
   */
  readonly timeoutMs?: number;
  /** Timeout for opening a connection, in milliseconds. Default: 5 000. */
  readonly connectTimeoutMs?: number;
  /** Maximum number of HTTP/1.1 connections to one server. HTTP/2 uses one. Default: 8. */
  readonly maxConnections?: number;
  /**
   * Additional headers of every call, for example for a gateway. Headers that start with `X-Vault-`, and those of the
   * connection and the body, cannot be set. Values never appear in logs or errors. Default: `VAULT_HEADERS`.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Whether to offer HTTP/2 over TLS; all calls then share one connection. If the server does not support it, HTTP/1.1
   * is used. Default: `true`.
   */
  readonly http2?: boolean;
  /**
   * Address of a proxy: `http://` or `https://`, user name and password if required, host and port. Credentials in it
   * never appear in logs or errors. The module opens a tunnel (CONNECT), so TLS is end-to-end. `environment` uses
   * `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, which are ignored otherwise. Default: `VAULT_PROXY_ADDR`, else
   * `VAULT_HTTP_PROXY`, else none.
   */
  readonly proxy?: string;
  /**
   * Whether to follow one redirect per attempt, to a configured address only. Default: `true`, unless
   * `VAULT_DISABLE_REDIRECTS` is set.
   */
  readonly redirects?: boolean;
  /**
   * Maximum number of retries after a failure that may be temporary, within the deadline of the call. 0: no retries. A
   * write is retried only if the server has certainly not processed it. Failover to another endpoint does not count.
   * Default: `VAULT_MAX_RETRIES`, else 2.
   */
  readonly retries?: number;
  /**
   * Maximum rate of requests. Further requests wait, and fail at once if they would have to wait beyond their
   * deadline. A string has the form `rate[:burst]`. Default: `VAULT_RATE_LIMIT`, else no limit.
   */
  readonly rateLimit?: VaultRateLimit | string;
  /**
   * Whether reads may be stale in a cluster whose standbys serve reads: `off`, `read-your-writes` or `forward`.
   * Default: `off`.
   */
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
