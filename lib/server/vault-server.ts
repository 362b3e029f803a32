import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdminClient, VaultServerRequestOptions, VaultServerResponse } from './admin-client.js';
import type { ClientCertificates, ServerCertificates } from './certificates.js';
import { seed } from './seed.js';
import { CA_FILE } from './server-config.js';
import type { StartFailure } from './server-process.js';
import { ServerProcess } from './server-process.js';
import type { ServerSecrets } from './server-setup.js';
import { unseal } from './server-setup.js';
import type { VaultServerStorage } from './vault-server.options.js';
import { VaultTestServerError } from './server-error.js';
import type { ServerOutput } from './server-command.js';

// On SIGTERM, a server closes its storage first, which takes at least half a second. Used only if the data is kept.
const STOP_GRACE_MS = 10_000;

/** State that {@link startVaultServer} passes to the server it has started. @internal */
export interface VaultServerParts extends ServerSecrets {
  endpoint: string;
  port: number;
  storage: VaultServerStorage;
  dataDir: string | undefined;
  keepsData: boolean;
  tls: ServerCertificates | undefined;
  version: string;
  process: ServerProcess;
  admin: AdminClient;
  output: ServerOutput;
  scratchDir: string;
  timeoutMs: number;
  launch: () => Promise<ServerProcess | StartFailure>;
}

/**
 * A running test server. It never keeps this process alive, and ends with it, even if this process is killed.
 * @publicApi
 */
export class VaultServer {
  /** Address for clients: scheme, host and port. */
  readonly endpoint: string;
  /** Port on 127.0.0.1; the same after `restart()`. */
  readonly port: number;
  /** Storage of the server. */
  readonly storage: VaultServerStorage;
  /** Data directory; `undefined` with `dev` storage. */
  readonly dataDir: string | undefined;
  /** Certificate authority for clients to trust, in PEM format; `undefined` without TLS. */
  readonly ca: string | undefined;
  /** File that contains `ca`; `stop()` removes it. */
  readonly caFile: string | undefined;
  /** Client certificate that the server accepts; `undefined` without mutual TLS. */
  readonly client: ClientCertificates | undefined;
  /** Root token; empty if the server was not initialized here and no `rootToken` was given. */
  readonly rootToken: string;
  /** Unseal keys in base64; empty if the server was not initialized here and no `unsealKeys` were given. */
  readonly unsealKeys: readonly string[];
  /** Version reported by the server. */
  readonly version: string;

  readonly #parts: VaultServerParts;
  #process: ServerProcess;
  #stopped: Promise<void> | undefined;

  /** @internal */
  constructor(parts: VaultServerParts) {
    this.#parts = parts;
    this.#process = parts.process;
    this.endpoint = parts.endpoint;
    this.port = parts.port;
    this.storage = parts.storage;
    this.dataDir = parts.dataDir;
    this.ca = parts.tls?.ca;
    this.caFile = this.ca === undefined ? undefined : join(parts.scratchDir, CA_FILE);
    this.client = parts.tls?.client;
    this.rootToken = parts.rootToken;
    this.unsealKeys = parts.unsealKeys;
    this.version = parts.version;
  }

  /** Process id of the server; `restart()` changes it. */
  get pid(): number {
    return this.#process.pid;
  }

  /**
   * Writes secrets, such as `{ 'secret/my-app': { PASSWORD: '…' } }`. A path begins with a KV mount of version 1 or 2, the longest
   * that matches. If none matches, KV version 2 is mounted at the first segment.
   * @throws VaultInvalidPathError for a path with `..`, empty segments or control characters
   * @throws VaultTestServerError if the server rejects a write; the message never contains a value
   */
  seed(secrets: Readonly<Record<string, Readonly<Record<string, unknown>>>>): Promise<void> {
    return seed(this.#parts.admin, secrets, this.rootToken, this.#parts.timeoutMs);
  }

  /**
   * Sends an API request with the root token, or with the token in `options`.
   * @param path path after `/v1/`, URL-encoded
   * @throws VaultTestServerError if the response has status 400 or above, unless `throwOnError` is false, or if there is none
   */
  request<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    options: VaultServerRequestOptions = {},
  ): Promise<VaultServerResponse<T>> {
    const response = this.#parts.admin.request(method, path, body, { token: this.rootToken, ...options });
    return response as Promise<VaultServerResponse<T>>;
  }

  /** Seals the server. */
  async seal(): Promise<void> {
    await this.request('PUT', 'sys/seal');
  }

  /**
   * Unseals the server and waits until it is active.
   * @param keys default: `unsealKeys`
   * @throws VaultTestServerError if the keys do not unseal the server
   */
  async unseal(keys: readonly string[] = this.unsealKeys): Promise<void> {
    await unseal(this.#parts.admin, keys, this.#parts.timeoutMs);
  }

  /** Output of the server: the last 524,288 characters of standard output and standard error. */
  output(): string {
    return this.#parts.output.toString();
  }

  /**
   * Restarts the server on the same port and data, also if it has already ended. Afterwards it is sealed: call `unseal()`.
   * @throws VaultTestServerError with `dev` storage, whose data would be lost, after `stop()`, and if the server does not start
   */
  async restart(): Promise<void> {
    if (this.storage === 'dev') {
      throw new VaultTestServerError(
        'usage',
        'A server in memory loses its data when it ends, so it cannot be restarted: start it with storage "file" or "raft".',
      );
    }
    if (this.#stopped !== undefined) {
      throw new VaultTestServerError(
        'usage',
        'restart() was called after stop(): start another server on the same dataDir.',
      );
    }
    await this.#process.stop(STOP_GRACE_MS);
    const launched = await this.#parts.launch();
    if (!(launched instanceof ServerProcess)) throw launched.error;
    this.#process = launched;
  }

  /**
   * Ends the server and removes its temporary files. A `dataDir` set by the caller is kept. May be called repeatedly.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  /** Calls `stop()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #end(): Promise<void> {
    await this.#process.stop(this.#parts.keepsData ? STOP_GRACE_MS : 0);
    await this.#parts.admin.close();
    await rm(this.#parts.scratchDir, { recursive: true, force: true });
  }
}
