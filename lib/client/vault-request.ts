import { VaultBadResponseError } from '../errors/index.js';

/**
 * One call to Vault's HTTP API, as the rest of the module describes it.
 * @publicApi
 */
export interface VaultRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  /** Percent-encoded API path below `/v1/`, without leading slash and query. */
  readonly path: string;
  /** Query parameters. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  /** Further headers, such as a trace id; those this module sets itself have precedence. Lower-case names. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** JSON body. */
  readonly body?: unknown;
  /** Texts that must not appear in an error when the server quotes them, besides those of the body and the token. */
  readonly secrets?: readonly string[] | undefined;
  /** Token to use instead of the session's; `null` sends none. */
  readonly token?: string | null | undefined;
  /** Vault namespace to use instead of the client's; `''` is the root namespace. */
  readonly namespace?: string | undefined;
  /** Asks Vault to wrap the response for this time: seconds, or a duration such as `5m`. */
  readonly wrapTtl?: string | number | undefined;
  /** Deadline of the whole call in milliseconds, with waits and retries. Default: `request.timeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Retries at most. Default: `request.retries`. */
  readonly retries?: number | undefined;
  /**
   * Whether sending it twice has the same effect as sending it once, so that it may be sent again when it is unknown whether
   * the server has acted on it. Default: `true` for GET and HEAD, except of paths that issue something on every read
   * (`issuesOnRead`).
   */
  readonly idempotent?: boolean | undefined;
  /** Aborts the call; it then rejects with `VaultAbortedError`. */
  readonly signal?: AbortSignal | undefined;
  /** Statuses that are not an error here, besides 2xx. */
  readonly accept?: readonly number[] | undefined;
  /** What the call does, as text for error messages. Default: method and path. */
  readonly operation?: string | undefined;
}

/**
 * A response of the server.
 * @publicApi
 */
export interface VaultResponse<T = unknown> {
  readonly status: number;
  /** Lower-case header names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON; `undefined` when the response has no body. */
  readonly body: T;
  /** The JSON text, when it may hold a number that parsing alters: see `assertExactNumbers`. @internal */
  readonly text?: string | undefined;
}

/** A JSON object. @internal */
export type JsonObject = Record<string, unknown>;

/** @internal */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The `data` object of a response.
 *
 * @param advice what may be the matter, added to the message
 * @throws VaultBadResponseError when there is none
 * @internal
 */
export function dataOf(
  response: VaultResponse,
  request: Pick<VaultRequest, 'operation' | 'path'>,
  advice = '',
): JsonObject {
  const data = isJsonObject(response.body) ? response.body['data'] : undefined;
  if (isJsonObject(data)) return data;
  throw badResponse(request, 'the response has no "data" object', advice);
}

/** @internal */
export function badResponse(
  request: Pick<VaultRequest, 'operation' | 'path'>,
  why: string,
  advice = '',
  reason?: string,
): VaultBadResponseError {
  const operation = request.operation ?? request.path;
  return new VaultBadResponseError(`Cannot ${operation}: ${why}.${advice && ` ${advice}`}`, {
    operation,
    path: request.path,
    reason,
  });
}

/** The texts in a list of a response. A server may put anything there, and not everything can become text. @internal */
export function textList(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((entry) => typeof entry === 'string') : [];
}
