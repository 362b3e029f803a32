import { readOptions } from '../options/check-options.js';

/**
 * Options of a single call.
 * @publicApi
 */
export interface VaultCallOptions {
  /** Ends the call early with `VaultAbortedError`. */
  readonly signal?: AbortSignal | undefined;
  /** Whole-call deadline in milliseconds. Default: `request.timeoutMs`. */
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
