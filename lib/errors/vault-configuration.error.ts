import { VaultError } from './vault-error.js';

/**
 * The configuration could not be loaded. One error for the whole boot: `errors` holds one entry for every source that
 * failed, and the message lists them all with reason and fix.
 * @publicApi
 */
export class VaultConfigurationError extends VaultError {
  /** Also when a bundler renames the class. @internal */
  static override readonly name = 'VaultConfigurationError';
  readonly code = 'VAULT_CONFIGURATION';
  declare readonly errors: readonly VaultError[];

  constructor(headline: string, errors: readonly VaultError[]) {
    super([headline, ...errors.map((error, index) => `  ${index + 1}. ${indent(error.message)}`)].join('\n'));
    // Not enumerable, as in AggregateError: the message already says it all, and printing every nested stack buries it.
    Object.defineProperty(this, 'errors', { value: Object.freeze([...errors]) });
  }

  /** Without the list that `util.inspect` appends for `errors`: the message holds all of it. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `${this.stack ?? this.message} { code: '${this.code}' }`;
  }

  override get retryable(): boolean {
    return this.errors.length > 0 && this.errors.every((error) => error.retryable);
  }
}

function indent(text: string): string {
  return text.replaceAll('\n', '\n     ');
}
