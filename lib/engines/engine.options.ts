/**
 * Options of a single call.
 * @publicApi
 */
export interface VaultCallOptions {
  /** Ends the call early with `VaultAbortedError`. */
  readonly signal?: AbortSignal | undefined;
  /** Whole-call deadline in milliseconds. Default: `request.timeoutMs`. */
  readonly timeoutMs?: number;
  /** Vault namespace to use instead of the module's; `''` is the root namespace. */
  readonly namespace?: string;
}

/** Just the call options of a larger options object. @internal */
export function callOptions(options: VaultCallOptions | undefined): VaultCallOptions {
  return {
    ...(options?.signal && { signal: options.signal }),
    ...(options?.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
    ...(options?.namespace !== undefined && { namespace: options.namespace }),
  };
}
