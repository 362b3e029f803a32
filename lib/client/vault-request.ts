/**
 * One call to Vault's HTTP API, as the rest of the module describes it.
 * @publicApi
 */
export interface VaultRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  /** Percent-encoded API path below `/v1/`, without leading slash and query. */
  readonly path: string;
  /** Query parameters. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Further headers, such as a trace id; those this module sets itself win. Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON body. */
  readonly body?: unknown;
  /** Texts that must not stand in an error when the server quotes them. Those of the body and the token are known anyway. */
  readonly secrets?: readonly string[];
  /** Token to use instead of the session's; `null` sends none. */
  readonly token?: string | null;
  /** Vault namespace to use instead of the client's; `''` is the root namespace. */
  readonly namespace?: string;
  /** Ask Vault to wrap the answer for so long: seconds, or a duration such as `5m`. */
  readonly wrapTtl?: string | number;
  /** Whole-call deadline in milliseconds, waits and repetitions included. Default: `request.timeoutMs`. */
  readonly timeoutMs?: number;
  /** Repetitions of a failed call at most. Default: `request.retries`. */
  readonly retries?: number;
  /**
   * Whether doing it twice is the same as doing it once, so that the call may be repeated when nobody knows if the server
   * has acted on it. Default: `true` for GET and HEAD only.
   */
  readonly idempotent?: boolean;
  /** Ends the call early with `VaultAbortedError`. */
  readonly signal?: AbortSignal | undefined;
  /** Statuses that are an answer here rather than an error, besides 2xx. */
  readonly accept?: readonly number[];
  /** The call in words, for error messages. Default: method and path. */
  readonly operation?: string;
}

/**
 * An answer of the server.
 * @publicApi
 */
export interface VaultResponse<T = unknown> {
  readonly status: number;
  /** Lower-case header names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON; `undefined` when the answer has no body. */
  readonly body: T;
  /** The JSON text, when it may hold a number that parsing alters: see `assertExactNumbers`. @internal */
  readonly text?: string;
}
