import { assertExactNumbers } from '../client/exact-numbers.js';
import { encodeMount, encodePath, withoutTrailingSlash } from '../client/path.js';
import { dataOf } from '../client/response.js';
import type { VaultClient } from '../client/vault-client.js';
import type { VaultRequest } from '../client/vault-request.js';
import type { VaultCallOptions } from './engine.options.js';
import { callOptions } from './engine.options.js';
import { listKeys } from './listing.js';
import { secretData } from './secret-data.js';

/**
 * A KV version 1 engine: secrets without versions.
 * @see https://openbao.org/api-docs/secret/kv/kv-v1/
 * @publicApi
 */
export class Kv1Engine {
  readonly #mount: string;

  /** @internal */
  constructor(
    private readonly client: VaultClient,
    /** Where the engine is mounted. */
    readonly mountPath: string,
  ) {
    this.#mount = encodeMount(mountPath);
  }

  /**
   * Reads a secret. Values keep their JSON types.
   *
   * @throws VaultNotFoundError
   * @throws VaultBadResponseError with the reason `inexact-number` for a number that JavaScript cannot hold
   */
  async read<T = Record<string, unknown>>(secretPath: string, options?: VaultCallOptions): Promise<T> {
    const call = this.#call('GET', secretPath, options, 'read');
    const response = await this.client.request(call);
    assertExactNumbers(response, ['data'], call);
    return dataOf(response, call) as T;
  }

  /** Lists the names below a path; those that are folders end in a slash. Nothing there is an empty list. */
  async list(secretPath = '', options?: VaultCallOptions): Promise<string[]> {
    return listKeys(this.client, this.#call('GET', withoutTrailingSlash(secretPath), options, 'list', true));
  }

  /** Replaces a secret. */
  async write(secretPath: string, data: object, options?: VaultCallOptions): Promise<void> {
    await this.client.request({ ...this.#call('POST', secretPath, options, 'write'), body: secretData(data) });
  }

  /** Removes a secret. */
  async delete(secretPath: string, options?: VaultCallOptions): Promise<void> {
    await this.client.request(this.#call('DELETE', secretPath, options, 'delete'));
  }

  #call(
    method: VaultRequest['method'],
    secretPath: string,
    options: VaultCallOptions | undefined,
    verb: string,
    root = false,
  ): VaultRequest {
    return {
      method,
      path: root && secretPath === '' ? this.#mount : `${this.#mount}/${encodePath(secretPath, 'secretPath')}`,
      operation: `${verb} KV v1 secret ${JSON.stringify(secretPath)} in mount ${JSON.stringify(this.mountPath)}`,
      ...callOptions(options),
    };
  }
}
