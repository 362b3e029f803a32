import { readOptions } from '../options/check-options.js';

/**
 * Options of a single call.
 * @publicApi
 */
export interface VaultCallOptions {
  /** Aborts the call; it then rejects with `VaultAbortedError`. */
  readonly signal?: AbortSignal | undefined;
  /** Deadline of the whole call, in milliseconds. Default: `request.timeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Vault namespace to use instead of the module's; `''` is the root namespace. */
  readonly namespace?: string | undefined;
}

const NO_OPTIONS: VaultCallOptions = {};

/**
 * The call options in a larger options object.
 *
 * @throws VaultInvalidOptionError when they cannot be read
 * @internal
 */
export function callOptions(options: VaultCallOptions | undefined): VaultCallOptions {
  if (options === undefined) return NO_OPTIONS;
  const { signal, timeoutMs, namespace } = readOptions(options, ['signal', 'timeoutMs', 'namespace']);
  // As JavaScript callers pass it.
  return { signal: signal ?? undefined, timeoutMs, namespace };
}
