import { assertExactNumbers } from '../client/exact-numbers.js';
import { encodePath, withoutTrailingSlash } from '../client/path.js';
import type { JsonObject } from '../client/response.js';
import { isJsonObject, textList } from '../client/response.js';
import type { VaultClient } from '../client/vault-client.js';
import type { VaultRequest } from '../client/vault-request.js';
import { readOptions } from '../options/check-options.js';
import type { VaultCallOptions } from './engine.options.js';
import { callOptions } from './engine.options.js';
import { listKeys } from './listing.js';

/**
 * What Vault answers on any path.
 * @publicApi
 */
export interface VaultSecret<T = Record<string, unknown>> {
  readonly data: T;
  /** `''` when the answer is not leased. */
  readonly leaseId: string;
  /** Seconds. */
  readonly leaseDuration: number;
  readonly renewable: boolean;
  readonly warnings: readonly string[];
  /** Present in answers of auth methods: holds a token, treat it as a secret. */
  readonly auth?: Record<string, unknown>;
  /** Present in response-wrapped answers: holds a token, treat it as a secret. */
  readonly wrapInfo?: Record<string, unknown>;
}

/**
 * Options of a generic call.
 * @publicApi
 */
export interface VaultLogicalOptions extends VaultCallOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Ask for a response-wrapped answer that lives so long: seconds, or a duration such as `5m`. */
  readonly wrapTtl?: string | number;
  /**
   * Whether doing it twice is the same as doing it once, so that it may be repeated when the connection broke before the
   * answer. Default: `true` for reads, `false` for writes.
   */
  readonly idempotent?: boolean;
}

/**
 * Reads and writes any path, for engines this module has no class for. Paths are written plainly, as after
 * `bao read`: they are percent-encoded here.
 * @internal
 */
export class LogicalEngine {
  constructor(private readonly client: VaultClient) {}

  async read<T = Record<string, unknown>>(path: string, options?: VaultLogicalOptions): Promise<VaultSecret<T>> {
    return this.#send<T>('GET', path, 'read', options);
  }

  async write<T = Record<string, unknown>>(
    path: string,
    data: object = {},
    options?: VaultLogicalOptions,
  ): Promise<VaultSecret<T>> {
    return this.#send<T>('POST', path, 'write', options, data);
  }

  async list(path: string, options?: VaultCallOptions): Promise<string[]> {
    return listKeys(this.client, this.#call('GET', withoutTrailingSlash(path), 'list', options));
  }

  async delete(path: string, options?: VaultCallOptions): Promise<void> {
    await this.client.request(this.#call('DELETE', path, 'delete', options));
  }

  async #send<T>(
    method: VaultRequest['method'],
    path: string,
    verb: string,
    options: VaultLogicalOptions | undefined,
    body?: object,
  ): Promise<VaultSecret<T>> {
    const call = this.#call(method, path, verb, options);
    const response = await this.client.request({
      ...call,
      ...readOptions(options, ['query', 'wrapTtl', 'idempotent']),
      ...(body && { body }),
    });
    assertExactNumbers(response, ['data'], call);
    return toSecret<T>(isJsonObject(response.body) ? response.body : {});
  }

  #call(
    method: VaultRequest['method'],
    path: string,
    verb: string,
    options: VaultCallOptions | undefined,
  ): VaultRequest {
    return { method, path: encodePath(path, 'path'), operation: `${verb} ${path}`, ...callOptions(options) };
  }
}

function toSecret<T>(answer: JsonObject): VaultSecret<T> {
  const {
    data,
    lease_id: leaseId,
    lease_duration: leaseDuration,
    renewable,
    warnings,
    auth,
    wrap_info: wrapInfo,
  } = answer;
  return {
    data: (data ?? {}) as T,
    leaseId: typeof leaseId === 'string' ? leaseId : '',
    leaseDuration: typeof leaseDuration === 'number' ? leaseDuration : 0,
    renewable: renewable === true,
    warnings: textList(warnings),
    ...(isJsonObject(auth) && { auth }),
    ...(isJsonObject(wrapInfo) && { wrapInfo }),
  };
}
