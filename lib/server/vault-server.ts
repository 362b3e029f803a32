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

// A server that was asked to end closes its storage first. That takes it half a second and more, and is only worth it for data
// that somebody will look at again.
const STOP_GRACE_MS = 10_000;

/** What {@link startVaultServer} knows about the server it has started. @internal */
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
 * A running test server. It never keeps this process alive, and ends when this process ends, whatever the reason.
 * @publicApi
 */
export class VaultServer {
  /** Address to configure clients with: scheme, host and port. */
  readonly endpoint: string;
  /** Port on 127.0.0.1; the same after `restart()`. */
  readonly port: number;
  /** Storage the server was started with. */
  readonly storage: VaultServerStorage;
  /** Directory of the data, for `file` and `raft`. */
  readonly dataDir: string | undefined;
  /** PEM of the authority that clients should trust, with TLS. */
  readonly ca: string | undefined;
  /** File with the same, which exists until `stop()`. */
  readonly caFile: string | undefined;
  /** Client certificate the server accepts, with mutual TLS. */
  readonly client: ClientCertificates | undefined;
  /** Root token; empty when the server was not initialised here and none was given. */
  readonly rootToken: string;
  /** Unseal keys in base64; empty when the server was not initialised here and none were given. */
  readonly unsealKeys: readonly string[];
  /** Version as the server reports it. */
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

  /** Process id of the server; another one after `restart()`. */
  get pid(): number {
    return this.#process.pid;
  }

  /**
   * Writes secrets: `{ 'secret/my-app': { PASSWORD: '…' } }`. A path begins with a mount: the longest existing one that fits,
   * of KV version 1 or 2; when none fits, KV version 2 is mounted at the first segment.
   * @throws VaultInvalidPathError for paths with `..`, empty segments or control characters
   * @throws VaultTestServerError when the server refuses; its message never holds a value
   */
  seed(secrets: Readonly<Record<string, Readonly<Record<string, unknown>>>>): Promise<void> {
    return seed(this.#parts.admin, secrets, this.rootToken, this.#parts.timeoutMs);
  }

  /**
   * Makes any API call, for setting a test up. Sends the root token unless told otherwise.
   * @param path below `/v1/`, encoded
   * @throws VaultTestServerError on a status of 400 and above, unless `throwOnError` is false
   */
  request<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    options: VaultServerRequestOptions = {},
  ): Promise<VaultServerResponse<T>> {
    const answer = this.#parts.admin.request(method, path, body, { token: this.rootToken, ...options });
    return answer as Promise<VaultServerResponse<T>>;
  }

  /** Seals the server. */
  async seal(): Promise<void> {
    await this.request('PUT', 'sys/seal');
  }

  /**
   * Unseals the server and waits until it serves requests.
   * @param keys defaults to the keys the server was initialised with
   */
  async unseal(keys: readonly string[] = this.unsealKeys): Promise<void> {
    await unseal(this.#parts.admin, keys, this.#parts.timeoutMs);
  }

  /** What the server has printed: the last 512 Ki characters of standard output and error. */
  output(): string {
    return this.#parts.output.toString();
  }

  /**
   * Ends the server, if it still runs, and starts it again on the same port and data. It is sealed afterwards: call `unseal()`.
   * @throws VaultTestServerError for `dev` storage, of which nothing would be left, and after `stop()`
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
   * Ends the server and removes what it left in the temporary directory; a `dataDir` given by the caller is kept. May be called
   * several times.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  /** The same as `stop()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #end(): Promise<void> {
    await this.#process.stop(this.#parts.keepsData ? STOP_GRACE_MS : 0);
    await this.#parts.admin.close();
    await rm(this.#parts.scratchDir, { recursive: true, force: true });
  }
}
