import type { TlsOptions } from './tls.options.js';

/**
 * What applies to every call.
 * @publicApi
 */
export interface VaultRequestOptions {
  /** Deadline of a whole call, connecting included, in milliseconds. Default: `VAULT_CLIENT_TIMEOUT`, else 15 000. */
  readonly timeoutMs?: number;
  /** Deadline of establishing a connection, in milliseconds. Default: 5 000. */
  readonly connectTimeoutMs?: number;
  /** Connections kept open to the server at most. Default: 8. */
  readonly maxConnections?: number;
  /**
   * Further headers of every call, such as one that a gateway asks for. Those that start with `X-Vault-`, and those of the
   * connection and the body, are the module's own. Values are kept out of logs and errors. Default: `VAULT_HEADERS`.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether one redirect per call is followed, within the configured address. Default: `true`, unless `VAULT_DISABLE_REDIRECTS` is set. */
  readonly redirects?: boolean;
}

/** What the transport needs to know, checked and complete. @internal */
export interface TransportOptions {
  readonly endpoint: string;
  readonly namespace?: string | undefined;
  readonly tls: TlsOptions;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
  /** Sent with every call. Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: `true`. */
  readonly redirects?: boolean;
}
