import { assertExactNumbers } from '../client/exact-numbers.js';
import { encodeMount, encodePath, withoutTrailingSlash } from '../client/path.js';
import { dataOf } from '../client/vault-request.js';
import type { Requester } from '../client/vault-client.js';
import type { VaultRequest } from '../client/vault-request.js';
import type { VaultCallOptions } from './engine.options.js';
import { callOptions } from './engine.options.js';
import { LIST, listKeys, secretData } from './responses.js';

/**
 * A KV version 1 engine: secrets without versions.
 * @see https://openbao.org/api-docs/secret/kv/kv-v1/
 * @publicApi
 */
export class Kv1Engine {
  readonly #client: Requester;
  readonly #mount: string;
  readonly #inMount: string;
  /** Path where the engine is mounted. */
  readonly mountPath: string;

  /** @internal */
  constructor(client: Requester, mountPath: string) {
    this.#client = client;
    this.mountPath = mountPath;
    this.#mount = encodeMount(mountPath);
    this.#inMount = ` in mount ${JSON.stringify(mountPath)}`;
  }

  /**
   * Reads a secret. Values keep their JSON types.
   *
   * @throws VaultNotFoundError
   * @throws VaultBadResponseError with the reason `inexact-number` for a number that JavaScript cannot hold
   */
  async read<T = Record<string, unknown>>(secretPath: string, options?: VaultCallOptions): Promise<T> {
    const call = this.#call('GET', secretPath, 'read', options);
    const response = await this.#client.request(call);
    assertExactNumbers(response, ['data'], call);
    return dataOf(response, call) as T;
  }

  /** Lists the names below a path; folders end with a slash. The list is empty if there are none. */
  async list(secretPath = '', options?: VaultCallOptions): Promise<string[]> {
    const path = withoutTrailingSlash(secretPath);
    return listKeys(this.#client, this.#call('GET', path, 'list', options, undefined, LIST));
  }

  /** Replaces a secret. */
  async write(secretPath: string, data: object, options?: VaultCallOptions): Promise<void> {
    await this.#client.request(this.#call('POST', secretPath, 'write', options, secretData(data)));
  }

  /** Removes a secret. */
  async delete(secretPath: string, options?: VaultCallOptions): Promise<void> {
    await this.#client.request(this.#call('DELETE', secretPath, 'delete', options));
  }

  #call(
    method: VaultRequest['method'],
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
        query === LIST && secretPath === '' ? this.#mount : `${this.#mount}/${encodePath(secretPath, 'secretPath')}`,
      operation: `${verb} KV v1 secret ${JSON.stringify(secretPath)}${this.#inMount}`,
      query,
      body,
      // A read of a KV engine never issues anything.
      idempotent: method === 'GET' ? true : undefined,
      signal,
      timeoutMs,
      namespace,
    };
  }
}
