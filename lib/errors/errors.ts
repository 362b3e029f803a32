/* `static name` keeps the name of a class when a bundler renames it. */
import { VaultError } from './vault-error.js';
import type { VaultAdvice, VaultErrorParts } from './vault-error.js';

/**
 * The caller's `AbortSignal` aborted the call.
 * @publicApi
 */
export class VaultAbortedError extends VaultError {
  static override readonly name = 'VaultAbortedError';
  readonly code = 'VAULT_ABORTED';
}

/**
 * A login was refused, a credential is missing or unusable, or the server does not know the token.
 * @publicApi
 */
export class VaultAuthenticationError extends VaultError {
  static override readonly name = 'VaultAuthenticationError';
  readonly code = 'VAULT_AUTHENTICATION';
}

/**
 * The response is not one of Vault's API: not JSON, truncated, too large, without the expected fields, or with a
 * number that JavaScript cannot represent (`reason: 'inexact-number'`).
 * @publicApi
 */
export class VaultBadResponseError extends VaultError {
  static override readonly name = 'VaultBadResponseError';
  readonly code = 'VAULT_BAD_RESPONSE';
}

/**
 * A check-and-set write failed: the current version of the secret is not the expected one.
 * @publicApi
 */
export class VaultCasMismatchError extends VaultError {
  static override readonly name = 'VaultCasMismatchError';
  readonly code = 'VAULT_CAS_MISMATCH';
}

/**
 * The application has been closed, and its Vault session accepts no more calls.
 * @publicApi
 */
export class VaultClosedError extends VaultError {
  static override readonly name = 'VaultClosedError';
  readonly code = 'VAULT_CLOSED';
}

/**
 * The configuration could not be loaded. It is one error for the whole boot: `errors` has one entry per problem, and
 * the message lists them with cause and fix.
 * @publicApi
 */
export class VaultConfigurationError extends VaultError {
  static override readonly name = 'VaultConfigurationError';
  readonly code = 'VAULT_CONFIGURATION';
  declare readonly errors: readonly VaultError[];
  readonly #headline: string;

  /** @param advice comes before the headline in the message, each on a line of its own */
  constructor(headline: string, errors: readonly VaultError[], advice: readonly VaultAdvice[] = []) {
    const list = errors.map((error, index) => `  ${index + 1}. ${indent(error.message)}`);
    super([...advice.map(({ text }) => text), headline, ...list].join('\n'));
    this.#headline = headline;
    // Not enumerable, as in AggregateError: the message already says it all, and printing every nested stack buries it.
    Object.defineProperty(this, 'errors', { value: Object.freeze([...errors]) });
    if (advice.length > 0) Object.assign(this, { advice: Object.freeze(advice.map(({ id }) => id)) });
  }

  override withAdvice(...advice: readonly VaultAdvice[]): this {
    return new VaultConfigurationError(this.#headline, this.errors, advice) as this;
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

/**
 * There is no connection to the server, or it broke before the response was complete.
 * @publicApi
 */
export class VaultConnectionError extends VaultError {
  static override readonly name = 'VaultConnectionError';
  readonly code = 'VAULT_CONNECTION';

  override get retryable(): boolean {
    return true;
  }
}

/**
 * The path exists, but this version of the secret has been deleted or destroyed.
 * @publicApi
 */
export class VaultDeletedVersionError extends VaultError {
  static override readonly name = 'VaultDeletedVersionError';
  readonly code = 'VAULT_DELETED_VERSION';
  /** The version. */
  readonly version?: number;
  /** Whether its data was removed permanently; otherwise `undelete` restores it. */
  readonly destroyed: boolean;
  /** Time when it was deleted (RFC 3339), if it was. */
  readonly deletionTime?: string;

  constructor(
    problem: string,
    parts: VaultErrorParts & {
      readonly destroyed: boolean;
      readonly version?: number | undefined;
      readonly deletionTime?: string | undefined;
    },
  ) {
    super(problem, parts);
    this.destroyed = parts.destroyed;
    if (parts.version !== undefined) this.version = parts.version;
    if (parts.deletionTime !== undefined) this.deletionTime = parts.deletionTime;
  }
}

/**
 * The module is disabled (`enabled: false`, `NESTJS_VAULT_ENABLED=false`): there is no connection to Vault.
 * @publicApi
 */
export class VaultDisabledError extends VaultError {
  static override readonly name = 'VaultDisabledError';
  readonly code = 'VAULT_DISABLED';
}

/**
 * An option of the module is unknown, missing or unusable. The message names the option.
 * @publicApi
 */
export class VaultInvalidOptionError extends VaultError {
  static override readonly name = 'VaultInvalidOptionError';
  readonly code = 'VAULT_INVALID_OPTION';
}

/**
 * A path or name was rejected before any request was sent: an empty, `.` or `..` segment, a slash where none is
 * allowed, a control character.
 * @publicApi
 */
export class VaultInvalidPathError extends VaultError {
  static override readonly name = 'VaultInvalidPathError';
  readonly code = 'VAULT_INVALID_PATH';
}

/**
 * Nothing is stored at the path, or no engine is mounted there. Vault responds with 404 to both; `nothingStored`
 * distinguishes them.
 * @publicApi
 */
export class VaultNotFoundError extends VaultError {
  static override readonly name = 'VaultNotFoundError';
  readonly code = 'VAULT_NOT_FOUND';
  /**
   * True when the response is exactly the one of an engine that has nothing at the path (`{"errors":[]}`); false for any
   * other 404: no engine at this mount path, another kind of path, an unknown namespace, or a proxy that responded.
   */
  readonly nothingStored: boolean;

  constructor(problem: string, parts: VaultErrorParts & { readonly nothingStored?: boolean } = {}) {
    super(problem, parts);
    this.nothingStored = parts.nothingStored ?? true;
  }
}

/**
 * The server has not been initialized yet (`bao operator init`).
 * @publicApi
 */
export class VaultNotInitializedError extends VaultError {
  static override readonly name = 'VaultNotInitializedError';
  readonly code = 'VAULT_NOT_INITIALIZED';

  override get retryable(): boolean {
    return true;
  }
}

/**
 * The server denied the call (403). Vault's responses to an invalid token and to a missing policy are almost the same;
 * `policyDenied` distinguishes them where the response does.
 * @publicApi
 */
export class VaultPermissionError extends VaultError {
  static override readonly name = 'VaultPermissionError';
  readonly code = 'VAULT_PERMISSION_DENIED';
  /** True if the token is valid and a policy is missing; false if the token itself may be the cause. */
  readonly policyDenied: boolean;

  constructor(problem: string, parts: VaultErrorParts & { readonly policyDenied?: boolean } = {}) {
    super(problem, parts);
    this.policyDenied = parts.policyDenied ?? false;
  }
}

/**
 * A rate limit or quota of the server was reached (429).
 * @publicApi
 */
export class VaultRateLimitedError extends VaultError {
  static override readonly name = 'VaultRateLimitedError';
  readonly code = 'VAULT_RATE_LIMITED';
  /** Delay that the server asks for (`Retry-After`), in milliseconds. */
  readonly retryAfterMs?: number;

  constructor(problem: string, parts: VaultErrorParts & { readonly retryAfterMs?: number | undefined } = {}) {
    super(problem, parts);
    if (parts.retryAfterMs !== undefined) this.retryAfterMs = parts.retryAfterMs;
  }

  override get retryable(): boolean {
    return true;
  }
}

/**
 * The server rejected the request with another 4xx status.
 * @publicApi
 */
export class VaultRequestError extends VaultError {
  static override readonly name = 'VaultRequestError';
  readonly code = 'VAULT_REQUEST';
}

/**
 * The server is sealed and serves no requests until it is unsealed.
 * @publicApi
 */
export class VaultSealedError extends VaultError {
  static override readonly name = 'VaultSealedError';
  readonly code = 'VAULT_SEALED';

  override get retryable(): boolean {
    return true;
  }
}

/**
 * The server, or a proxy in front of it, failed with another 5xx status.
 * @publicApi
 */
export class VaultServerError extends VaultError {
  static override readonly name = 'VaultServerError';
  readonly code = 'VAULT_SERVER';

  override get retryable(): boolean {
    return true;
  }
}

/**
 * The snapshot could not be written or used. `reason` is an errno code, or `symlink`, `not-a-file`, `too-large`,
 * `truncated`, `not-a-snapshot`, `unknown-version`, `foreign`, `wrong-key`, `no-key`, `too-old`, `future`,
 * `incomplete`.
 * @publicApi
 */
export class VaultSnapshotError extends VaultError {
  static override readonly name = 'VaultSnapshotError';
  readonly code = 'VAULT_SNAPSHOT';
}

/**
 * The call did not finish within its deadline.
 * @publicApi
 */
export class VaultTimeoutError extends VaultError {
  static override readonly name = 'VaultTimeoutError';
  readonly code = 'VAULT_TIMEOUT';

  override get retryable(): boolean {
    return true;
  }
}

/**
 * The TLS handshake failed: unknown authority, expired certificate, wrong host name, or a missing client certificate.
 * @publicApi
 */
export class VaultTlsError extends VaultError {
  static override readonly name = 'VaultTlsError';
  readonly code = 'VAULT_TLS';
}
