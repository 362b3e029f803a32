import { assertExactNumbers } from '../client/exact-numbers.js';
import { encodePath, withoutTrailingSlash } from '../client/path.js';
import type { JsonObject, VaultRequest } from '../client/vault-request.js';
import { isJsonObject, textList } from '../client/vault-request.js';
import type { Requester } from '../client/vault-client.js';
import { readOptions } from '../options/check-options.js';
import type { VaultCallOptions } from './engine.options.js';
import { callOptions } from './engine.options.js';
import { LIST, listKeys } from './responses.js';

/**
 * A response of Vault on any path.
 * @publicApi
 */
export interface VaultSecret<T = Record<string, unknown>> {
  readonly data: T;
  /** `''` without a lease. */
  readonly leaseId: string;
  /** In seconds. */
  readonly leaseDuration: number;
  readonly renewable: boolean;
  readonly warnings: readonly string[];
  /** Present in responses of auth methods. It has a token in it: treat it as a secret. */
  readonly auth?: Record<string, unknown>;
  /** Present in wrapped responses. It has a token in it: treat it as a secret. */
  readonly wrapInfo?: Record<string, unknown>;
}

/**
 * Options of a call of any path.
 * @publicApi
 */
export interface VaultLogicalOptions extends VaultCallOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Asks for a wrapped response that lives this long: seconds, or a duration such as `5m`. */
  readonly wrapTtl?: string | number;
  /**
   * Whether sending it twice has the same effect as sending it once, so that it may be sent again when the connection broke
   * before the response. Default: `true` for reads, except of paths that issue credentials or a token on every read, such as
   * `database/creds/app`; `false` for writes.
   */
  readonly idempotent?: boolean;
}

/**
 * Reads and writes any path, for engines this module has no class for. Paths are written plainly, as after
 * `bao read`: they are percent-encoded here.
 * @internal
 */
export class LogicalEngine {
  readonly #client: Requester;

  constructor(client: Requester) {
    this.#client = client;
  }

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
    return listKeys(this.#client, this.#call('GET', withoutTrailingSlash(path), 'list', options, { query: LIST }));
  }

  async delete(path: string, options?: VaultCallOptions): Promise<void> {
    await this.#client.request(this.#call('DELETE', path, 'delete', options));
  }

  async #send<T>(
    method: VaultRequest['method'],
    path: string,
    verb: string,
    options: VaultLogicalOptions | undefined,
    body?: object,
  ): Promise<VaultSecret<T>> {
    const more = readOptions(options, ['query', 'wrapTtl', 'idempotent']);
    const call = this.#call(method, path, verb, options, more, body);
    const response = await this.#client.request(call);
    assertExactNumbers(response, ['data'], call);
    return toSecret<T>(isJsonObject(response.body) ? response.body : {});
  }

  #call(
    method: VaultRequest['method'],
    path: string,
    verb: string,
    options: VaultCallOptions | undefined,
    { query, wrapTtl, idempotent }: Pick<VaultRequest, 'query' | 'wrapTtl' | 'idempotent'> = {},
    body?: object,
  ): VaultRequest {
    const { signal, timeoutMs, namespace } = callOptions(options);
    return {
      method,
      path: encodePath(path, 'path'),
      operation: `${verb} ${path}`,
      query,
      wrapTtl,
      idempotent,
      body,
      signal,
      timeoutMs,
      namespace,
    };
  }
}

function toSecret<T>(body: JsonObject): VaultSecret<T> {
  const { data, lease_id: leaseId, lease_duration: leaseDuration, auth, wrap_info: wrapInfo } = body;
  const secret: { -readonly [K in keyof VaultSecret<T>]: VaultSecret<T>[K] } = {
    data: (data ?? {}) as T,
    leaseId: typeof leaseId === 'string' ? leaseId : '',
    leaseDuration: typeof leaseDuration === 'number' ? leaseDuration : 0,
    renewable: body['renewable'] === true,
    warnings: textList(body['warnings']),
  };
  if (isJsonObject(auth)) secret.auth = auth;
  if (isJsonObject(wrapInfo)) secret.wrapInfo = wrapInfo;
  return secret;
}
