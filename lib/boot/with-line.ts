import { VaultConfigurationError } from '../errors/index.js';
import type { VaultError, VaultErrorDetails } from '../errors/index.js';

/** The same error with one more line, or sentence: its class and code are what callers tell failures by. @internal */
export function withLine(error: VaultError, line: string, separator = '\n'): VaultError {
  if (error instanceof VaultConfigurationError) {
    const [headline = ''] = error.message.split('\n');
    return new VaultConfigurationError(`${line}\n${headline}`, error.errors);
  }
  const SameError = error.constructor as new (message: string, details: VaultErrorDetails) => VaultError;
  return new SameError(`${error.message}${separator}${line}`, { ...error });
}
