/**
 * TLS towards Vault, in PEM. TLS 1.2 is the minimum.
 * @publicApi
 */
export interface VaultTlsOptions {
  /** Certificate authorities to trust instead of the system's. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  /** Client certificate; comes with `key`. */
  readonly cert?: string | Buffer;
  /** Private key of the client certificate. */
  readonly key?: string | Buffer;
  /** Passphrase of `key`. */
  readonly passphrase?: string;
  /** Name expected in the server's certificate. Default: the endpoint's host. */
  readonly serverName?: string;
  /** `false` accepts any certificate: for laptops only. Default: `true`. */
  readonly rejectUnauthorized?: boolean;
}

/**
 * Limits of a single call.
 * @publicApi
 */
export interface VaultRequestOptions {
  /** Deadline of a whole call, connecting included, in milliseconds. Default: 15 000. */
  readonly timeoutMs?: number;
  /** Deadline of establishing a connection, in milliseconds. Default: 5 000. */
  readonly connectTimeoutMs?: number;
  /** Connections kept open to the server at most. Default: 8. */
  readonly maxConnections?: number;
}

/** What the transport needs to know, checked and complete. @internal */
export interface TransportOptions {
  readonly endpoint: string;
  readonly namespace?: string | undefined;
  readonly tls: VaultTlsOptions;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
}
