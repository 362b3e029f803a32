import { printableMessage } from './printable.js';

const BRAND: unique symbol = Symbol.for('nestjs-vault.VaultError') as never;

/**
 * Stable identifiers of the ways this module fails. Compare these rather than messages.
 * @publicApi
 */
export type VaultErrorCode =
  | 'VAULT_ABORTED'
  | 'VAULT_AUTHENTICATION'
  | 'VAULT_BAD_RESPONSE'
  | 'VAULT_CAS_MISMATCH'
  | 'VAULT_CLOSED'
  | 'VAULT_CONFIGURATION'
  | 'VAULT_CONNECTION'
  | 'VAULT_DELETED_VERSION'
  | 'VAULT_DISABLED'
  | 'VAULT_INVALID_OPTION'
  | 'VAULT_INVALID_PATH'
  | 'VAULT_NOT_FOUND'
  | 'VAULT_NOT_INITIALIZED'
  | 'VAULT_PERMISSION_DENIED'
  | 'VAULT_RATE_LIMITED'
  | 'VAULT_REQUEST'
  | 'VAULT_SEALED'
  | 'VAULT_SERVER'
  | 'VAULT_SNAPSHOT'
  | 'VAULT_TEST_SERVER'
  | 'VAULT_TIMEOUT'
  | 'VAULT_TLS';

/**
 * What an error may say about the call that failed. There is no field for a request, a response or a cause on purpose:
 * loggers print every field they find, and those objects carry tokens and secret values.
 * @publicApi
 */
export interface VaultErrorDetails {
  /** What was being done, in words: `read secret/data/my-app`. */
  readonly operation?: string | undefined;
  /** API path below `/v1/`, without query. */
  readonly path?: string | undefined;
  /** Mount of the secrets engine or auth method concerned. */
  readonly mountPath?: string | undefined;
  /** HTTP status of the answer, when there was one. */
  readonly statusCode?: number | undefined;
  /** Vault namespace the call was made in. */
  readonly namespace?: string | undefined;
  /** Scheme, host and port of the server asked. */
  readonly endpoint?: string | undefined;
  /** Low-level reason: an errno or TLS code such as `ECONNREFUSED`. */
  readonly reason?: string | undefined;
}

/**
 * Base of every error this module throws.
 *
 * The message says what failed, where, and what to do. Neither the message nor any field ever holds a token, a
 * credential or a secret value, and there is no `cause`: it is safe to log in any form.
 * @publicApi
 */
export abstract class VaultError extends Error implements VaultErrorDetails {
  abstract readonly code: VaultErrorCode;
  declare readonly operation?: string;
  declare readonly path?: string;
  declare readonly mountPath?: string;
  declare readonly statusCode?: number;
  declare readonly namespace?: string;
  declare readonly endpoint?: string;
  declare readonly reason?: string;

  constructor(message: string, details: VaultErrorDetails = {}) {
    super(printableMessage(message));
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true });
    // Field by field, so that a caller's object can never smuggle anything else in.
    const { operation, path, mountPath, statusCode, namespace, endpoint, reason } = details;
    const known = { operation, path, mountPath, statusCode, namespace, endpoint, reason };
    for (const [key, value] of Object.entries(known)) if (value !== undefined) Object.assign(this, { [key]: value });
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** True when the same call may succeed later without anybody changing anything. */
  get retryable(): boolean {
    return false;
  }
}

/**
 * Tells whether a value is an error of this module. Unlike `instanceof` it also recognises errors of another copy of
 * the package in the same process (ESM beside CommonJS).
 * @publicApi
 */
export function isVaultError(value: unknown): value is VaultError {
  return value instanceof Error && (value as { [BRAND]?: boolean })[BRAND] === true;
}
