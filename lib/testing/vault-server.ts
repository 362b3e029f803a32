import { rm } from 'node:fs/promises';
import type { AdminClient, VaultServerRequestOptions, VaultServerResponse } from './admin-client.js';
import type { ClientCertificates } from './certificates.js';
import type { ServerOutput } from './server-output.js';
import type { ServerProcess } from './server-process.js';
import { mountKv2, unseal } from './server-setup.js';
import { VaultTestServerError } from './vault-test-server.error.js';

// A server that was asked to end closes its storage first; in memory there is nothing worth that.
const STOP_GRACE_MS = 10_000;

/** What {@link startVaultServer} hands to the server it has started. @internal */
export interface VaultServerParts {
  endpoint: string;
  storage: 'dev' | 'file' | 'raft';
  dataDir?: string | undefined;
  ca?: string | undefined;
  caFile?: string | undefined;
  client?: ClientCertificates | undefined;
  rootToken: string;
  unsealKeys: string[];
  version: string;
  process: ServerProcess;
  admin: AdminClient;
  output: ServerOutput;
  scratchDir: string;
  timeoutMs: number;
  launch: () => Promise<ServerProcess>;
}

/**
 * A running test server. It never keeps this process alive, and ends when this process ends, whatever the reason.
 * @publicApi
 */
export class VaultServer implements AsyncDisposable {
  /** Address to configure clients with, without a slash at the end. */
  readonly endpoint: string;
  /** Storage the server was started with. */
  readonly storage: 'dev' | 'file' | 'raft';
  /** Directory of the data, for `file` and `raft`. */
  readonly dataDir: string | undefined;
  /** PEM of the authority that signed the server's certificate, with TLS. */
  readonly ca: string | undefined;
  /** File with the same, until `stop()`. */
  readonly caFile: string | undefined;
  /** Client certificate the server accepts, with mutual TLS. */
  readonly client: ClientCertificates | undefined;
  /** Root token; empty when the server was not initialised. */
  readonly rootToken: string;
  /** Unseal keys in base64; empty when the server was not initialised. */
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
    this.storage = parts.storage;
    this.dataDir = parts.dataDir;
    this.ca = parts.ca;
    this.caFile = parts.caFile;
    this.client = parts.client;
    this.rootToken = parts.rootToken;
    this.unsealKeys = parts.unsealKeys;
    this.version = parts.version;
  }

  /** Process id of the server; another one after `restart()`. */
  get pid(): number {
    return this.#process.pid;
  }

  /**
   * Writes secrets: `{ 'secret/my-app': { PASSWORD: '…' } }`. The path begins with a mount: the longest existing one that fits,
   * of KV version 1 or 2; when none fits, KV version 2 is mounted at the first segment.
   * @throws VaultTestServerError when the server refuses; its message never holds a value
   */
  async seed(secrets: Record<string, Record<string, unknown>>): Promise<void> {
    const { body } = await this.request('GET', 'sys/mounts');
    const mounts = new Map(
      Object.entries((body as { data: Record<string, { type: string; options?: { version?: string } | null }> }).data),
    );
    for (const [path, data] of Object.entries(secrets)) {
      const mountPath = longestPrefix([...mounts.keys()], path) ?? path.slice(0, path.indexOf('/') + 1);
      const rest = path.slice(mountPath.length);
      if (mountPath.length < 2 || rest === '') {
        throw new VaultTestServerError(
          'usage',
          `seed() needs paths like "secret/my-app": a mount and a name, not "${path}".`,
        );
      }
      let mount = mounts.get(mountPath);
      if (mount === undefined) {
        await mountKv2(this.#parts.admin, mountPath.slice(0, -1), this.rootToken, this.#parts.timeoutMs);
        mount = { type: 'kv', options: { version: '2' } };
        mounts.set(mountPath, mount);
      }
      if (mount.type !== 'kv') {
        throw new VaultTestServerError(
          'usage',
          `seed() writes to KV mounts, but "${mountPath}" is of type ${mount.type}.`,
        );
      }
      const encoded = rest.split('/').map(encodeURIComponent).join('/');
      if (mount.options?.version === '2') await this.request('POST', `${mountPath}data/${encoded}`, { data });
      else await this.request('POST', `${mountPath}${encoded}`, data);
    }
  }

  /**
   * Makes any API call, for setting a test up. Sends the root token unless told otherwise.
   * @param path below `/v1/`, encoded
   * @throws VaultTestServerError on a status of 400 and above, unless `throwOnError` is false
   */
  request(
    method: string,
    path: string,
    body?: unknown,
    options: VaultServerRequestOptions = {},
  ): Promise<VaultServerResponse> {
    return this.#parts.admin.request(method, path, body, { token: this.rootToken, ...options });
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
    this.#process = await this.#parts.launch();
  }

  /**
   * Ends the server and removes what it left in the temporary directory; a `dataDir` given by the caller is kept. May be called
   * several times.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #end(): Promise<void> {
    await this.#process.stop(this.storage === 'dev' ? 0 : STOP_GRACE_MS);
    await this.#parts.admin.close();
    await rm(this.#parts.scratchDir, { recursive: true, force: true });
  }
}

function longestPrefix(candidates: string[], text: string): string | undefined {
  return candidates.filter((candidate) => text.startsWith(candidate)).sort((a, b) => b.length - a.length)[0];
}
