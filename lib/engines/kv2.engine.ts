import { encodeMount, encodePath, withoutTrailingSlash } from '../client/path.js';
import type { JsonObject, VaultRequest } from '../client/vault-request.js';
import type { Requester } from '../client/vault-client.js';
import { isVaultError, VaultInvalidOptionError } from '../errors/index.js';
import { describeNumber, readOptions } from '../options/check-options.js';
import type { VaultCallOptions } from './engine.options.js';
import { callOptions } from './engine.options.js';
import { parseMetadata, parseSecret, parseWritten } from './kv2-responses.js';
import type { Kv2Metadata, Kv2Secret, Kv2Version } from './kv2-responses.js';
import { LIST, listKeys, mergePatch, secretData } from './responses.js';

/**
 * Options of a write.
 * @publicApi
 */
export interface Kv2WriteOptions extends VaultCallOptions {
  /** Check-and-set: writes only if this is the current version. 0: only if the secret does not exist yet. */
  readonly cas?: number;
}

type Part = 'data' | 'metadata' | 'delete' | 'undelete' | 'destroy';
const IDEMPOTENT_PARTS: readonly Part[] = ['delete', 'undelete', 'destroy'];

/**
 * A KV version 2 engine: secrets with versions.
 *
 * `secretPath` is the path as you would pass it to `bao kv get`, without `data/`. A missing secret is a
 * `VaultNotFoundError`. A deleted version is a `VaultDeletedVersionError`, a destroyed one the same with `destroyed:
 * true`. Every method can also reject with the errors of any call (permission, connection, timeout, sealed, …), and
 * with `VaultInvalidPathError` before a request is sent.
 * @see https://openbao.org/api-docs/secret/kv/kv-v2/
 * @publicApi
 */
export class Kv2Engine {
  readonly #client: Requester;
  readonly #mount: string;
  readonly #inMount: string;
  /** Path where the engine is mounted. */
  readonly mountPath: string;

  /** @internal */
  constructor(client: Requester, mountPath: string = 'secret') {
    this.#client = client;
    this.mountPath = mountPath;
    this.#mount = encodeMount(mountPath);
    this.#inMount = ` in mount ${JSON.stringify(mountPath)}`;
  }

  /**
   * Reads the current version of a secret. Values keep their JSON types.
   *
   * @throws VaultBadResponseError with the reason `inexact-number` for a number that JavaScript cannot hold, and with
   *   `no-data` for a version that was written with `"data": null`
   */
  read<T = Record<string, unknown>>(secretPath: string, options?: VaultCallOptions): Promise<Kv2Secret<T>> {
    return this.#read<T>(secretPath, undefined, options);
  }

  /** Reads one version of a secret. */
  async readVersion<T = Record<string, unknown>>(
    secretPath: string,
    version: number,
    options?: VaultCallOptions,
  ): Promise<Kv2Secret<T>> {
    return this.#read<T>(secretPath, checkVersion(version), options);
  }

  /** Reads the metadata of a secret and its versions, without values. */
  async metadata(secretPath: string, options?: VaultCallOptions): Promise<Kv2Metadata> {
    const call = this.#call('GET', 'metadata', secretPath, 'read the metadata of', options);
    return parseMetadata(await this.#client.request(call), call);
  }

  /** Lists the names below a path; folders end with a slash. The list is empty if there are none. */
  async list(secretPath = '', options?: VaultCallOptions): Promise<string[]> {
    const path = withoutTrailingSlash(secretPath);
    return listKeys(this.#client, this.#call('GET', 'metadata', path, 'list', options, undefined, LIST));
  }

  /** Writes a new version; earlier ones are kept. */
  async write(secretPath: string, data: object, options?: Kv2WriteOptions): Promise<Kv2Version> {
    const body = { data: secretData(data), options: casOf(options) };
    const call = this.#call('POST', 'data', secretPath, 'write', options, body);
    return parseWritten(await this.#client.request(call), call);
  }

  /**
   * Changes single keys of a secret: a JSON merge patch (RFC 7396), in which `null` removes a key. Requires the policy
   * capability `patch`. If the server or a proxy does not accept PATCH (405), the secret is read, merged and written
   * back with check-and-set, so a concurrent write is never overwritten.
   * @throws VaultCasMismatchError if the secret was changed in between
   */
  async patch(secretPath: string, data: object, options?: Kv2WriteOptions): Promise<Kv2Version> {
    const body = { data: secretData(data), options: casOf(options) };
    const call = this.#call('PATCH', 'data', secretPath, 'patch', options, body);
    try {
      return parseWritten(await this.#client.request(call), call);
    } catch (error) {
      if (!isVaultError(error) || error.statusCode !== 405) throw error;
    }
    const current = await this.read(secretPath, callOptions(options));
    // As it would have gone over the wire: without keys that are undefined, with dates as text.
    const sent = JSON.parse(JSON.stringify(data)) as JsonObject;
    const merged = mergePatch(current.data, sent);
    const { cas = current.version } = casOf(options);
    return this.write(secretPath, merged, withCas(options, cas));
  }

  /** Deletes the current version; `undelete` restores it. */
  async delete(secretPath: string, options?: VaultCallOptions): Promise<void> {
    await this.#client.request(this.#call('DELETE', 'data', secretPath, 'delete', options));
  }

  /** Deletes versions; `undelete` restores them. */
  deleteVersions(secretPath: string, versions: readonly number[], options?: VaultCallOptions): Promise<void> {
    return this.#versions('delete', secretPath, versions, options);
  }

  /** Restores deleted versions. */
  undelete(secretPath: string, versions: readonly number[], options?: VaultCallOptions): Promise<void> {
    return this.#versions('undelete', secretPath, versions, options);
  }

  /** Removes the data of versions permanently. */
  destroy(secretPath: string, versions: readonly number[], options?: VaultCallOptions): Promise<void> {
    return this.#versions('destroy', secretPath, versions, options);
  }

  /** Removes a secret with all its versions and metadata permanently. */
  async deleteMetadata(secretPath: string, options?: VaultCallOptions): Promise<void> {
    await this.#client.request(this.#call('DELETE', 'metadata', secretPath, 'remove', options));
  }

  /**
   * Writes an old version again as the newest one, with check-and-set.
   * @throws VaultDeletedVersionError when that version holds no data any more
   * @throws VaultCasMismatchError if the secret was changed in between
   */
  async rollback(secretPath: string, version: number, options?: VaultCallOptions): Promise<Kv2Version> {
    const { currentVersion } = await this.metadata(secretPath, options);
    const { data } = await this.readVersion(secretPath, version, options);
    return this.write(secretPath, data, withCas(options, currentVersion));
  }

  async #read<T>(
    secretPath: string,
    version: number | undefined,
    options: VaultCallOptions | undefined,
  ): Promise<Kv2Secret<T>> {
    const verb = version === undefined ? 'read' : `read version ${version} of`;
    const query = version === undefined ? undefined : { version };
    const call = this.#call('GET', 'data', secretPath, verb, options, undefined, query);
    return parseSecret<T>(await this.#client.request(call), call);
  }

  async #versions(
    part: Part,
    secretPath: string,
    versions: readonly number[],
    options: VaultCallOptions | undefined,
  ): Promise<void> {
    if (!Array.isArray(versions) || versions.length === 0)
      throw new VaultInvalidOptionError(`Name the versions to ${part} in a list that is not empty.`);
    versions.forEach(checkVersion);
    await this.#client.request(this.#call('POST', part, secretPath, `${part} versions of`, options, { versions }));
  }

  #call(
    method: VaultRequest['method'],
    part: Part,
    secretPath: string,
    verb: string,
    options: VaultCallOptions | undefined,
    body?: object,
    query?: VaultRequest['query'],
  ): VaultRequest {
    const { signal, timeoutMs, namespace } = callOptions(options);
    return {
      method,
      path:
        query === LIST && secretPath === ''
          ? `${this.#mount}/${part}`
          : `${this.#mount}/${part}/${encodePath(secretPath, 'secretPath')}`,
      operation: `${verb} KV v2 secret ${JSON.stringify(secretPath)}${this.#inMount}`,
      query,
      body,
      // A read of a KV engine never issues anything; a request that names the versions it changes has the same effect twice.
      idempotent: method === 'GET' || IDEMPOTENT_PARTS.includes(part) ? true : undefined,
      signal,
      timeoutMs,
      namespace,
    };
  }
}

function withCas(options: VaultCallOptions | undefined, cas: number): Kv2WriteOptions {
  return { ...callOptions(options), cas };
}

function casOf(options: Kv2WriteOptions | undefined): { cas?: number } {
  const { cas } = readOptions(options, ['cas']);
  if (cas === undefined) return {};
  if (!Number.isInteger(cas) || cas < 0)
    throw new VaultInvalidOptionError(
      `"cas" is ${describeNumber(cas)}; it takes the current version, or 0 for "only if absent".`,
    );
  return { cas };
}

function checkVersion(version: number): number {
  if (Number.isInteger(version) && version > 0) return version;
  throw new VaultInvalidOptionError(`Version ${describeNumber(version)} is not a version; they are counted from 1.`);
}
