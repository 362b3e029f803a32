import { readOptions } from '../options/check-options.js';

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

/** Just the call options of a larger options object. @throws VaultInvalidOptionError when they cannot be read @internal */
export function callOptions(options: VaultCallOptions | undefined): VaultCallOptions {
  const { signal, ...others } = readOptions(options, ['signal', 'timeoutMs', 'namespace']);
  return signal === null || signal === undefined ? others : { ...others, signal };
}
