import { printableMessage } from './format.js';

const BRAND: unique symbol = Symbol.for('nestjs-vault.VaultError') as never;
/** What the frames of a stack begin with. */
const FRAMES = '\n    at ';

/**
 * Stable identifiers of the ways this module fails. Compare these rather than messages. Each comment says what to do, and
 * becomes part of docs/reference/errors.md.
 * @publicApi
 */
export type VaultErrorCode =
  /** Nothing, if you aborted the call. */
  | 'VAULT_ABORTED'
  /** Read the reason in the message. [ops] Check the role and the auth mount. [dev] Check the credential in `auth`. */
  | 'VAULT_AUTHENTICATION'
  /**
   * [ops] Check that the endpoint is Vault itself and not a proxy, a load balancer or another service. [dev] Store a
   * number that JavaScript cannot represent as a string.
   */
  | 'VAULT_BAD_RESPONSE'
  /** [dev] Read the secret again, and write with its current version. */
  | 'VAULT_CAS_MISMATCH'
  /** [dev] Do not call Vault after `app.close()`; end background work before it. */
  | 'VAULT_CLOSED'
  /** Go through the list in the message: each entry has its own fix. */
  | 'VAULT_CONFIGURATION'
  /** [ops] Check the address, the server, the DNS name, the firewall and the proxy. The module retries. */
  | 'VAULT_CONNECTION'
  /** [ops] Restore the version with `bao kv undelete`, or write a new one with `bao kv put`. */
  | 'VAULT_DELETED_VERSION'
  /** [dev] Enable the module, or provide the values of this test in another way. */
  | 'VAULT_DISABLED'
  /** [dev] Correct the option or the variable that the message names. */
  | 'VAULT_INVALID_OPTION'
  /** [dev] Correct the path: without the mount, without `data/`, without slashes at its ends. */
  | 'VAULT_INVALID_PATH'
  /**
   * [ops] Write the secret with the command in the message. [dev] Or correct the mount or the path, or set `optional:
   * true`.
   */
  | 'VAULT_NOT_FOUND'
  /** [ops] Run `bao operator init`, and check that the endpoint is the right server. */
  | 'VAULT_NOT_INITIALIZED'
  /** [ops] Add the policy line in the message. The response is the same if the mount or the path is misspelled. */
  | 'VAULT_PERMISSION_DENIED'
  /** [dev] Send fewer requests, or set `request.rateLimit`. [ops] Raise the quota. */
  | 'VAULT_RATE_LIMITED'
  /** [dev] Correct the request; the message has the errors of the server. */
  | 'VAULT_REQUEST'
  /** [ops] Unseal the server with `bao operator unseal`, or set up auto-unseal. */
  | 'VAULT_SEALED'
  /** [ops] Look at the log of the server and at the proxy in front of it. */
  | 'VAULT_SERVER'
  /** [ops] Check the file, its key and its age; the message has the reason. */
  | 'VAULT_SNAPSHOT'
  /** [dev] The message lists what was tried, and the output of the server. */
  | 'VAULT_TEST_SERVER'
  /**
   * [ops] Check the health of the server and the network. [dev] Raise `request.timeoutMs` or `boot.timeoutMs` if calls
   * are slow by nature.
   */
  | 'VAULT_TIMEOUT'
  /**
   * [ops] Check the certificate of the server. [dev] Set `tls.ca` to its authority. An unexpected certificate may be
   * an attack.
   */
  | 'VAULT_TLS';

/**
 * Fields that describe the call that failed. There is deliberately no field for a request, a response or a cause:
 * loggers print every field, and those objects contain tokens and secret values.
 * @publicApi
 */
export interface VaultErrorDetails {
  /** Description of the call: `read secret/data/my-app`. */
  readonly operation?: string | undefined;
  /** API path after `/v1/`, without query. */
  readonly path?: string | undefined;
  /** Mount of the secrets engine or auth method. */
  readonly mountPath?: string | undefined;
  /** HTTP status of the response, if there was one. */
  readonly statusCode?: number | undefined;
  /** Vault namespace of the call. */
  readonly namespace?: string | undefined;
  /** Address of the server that was called. */
  readonly endpoint?: string | undefined;
  /**
   * Stable identifier of the cause: an errno or TLS code such as `ECONNREFUSED`, or one of the identifiers in the
   * reference.
   */
  readonly reason?: string | undefined;
}

/**
 * Ids of the advice in errors, in `error.advice`. New ids may be added in any version.
 * @publicApi
 */
export type VaultAdviceId =
  /** A policy of the token needs the line in the message. */
  | 'add-policy'
  /** The lines that a source with `below` needs. */
  | 'add-policy-below'
  /** How long the boot has waited for Vault. */
  | 'boot-waited'
  /** Request another version of the secret. */
  | 'change-version'
  /** The path, type and Vault namespace of the auth mount. */
  | 'check-auth-mount'
  /** The clock of this machine. */
  | 'check-clock'
  /** The address of the server, and what responds there. */
  | 'check-endpoint'
  /** Vault locks users after failed logins. */
  | 'check-locked-users'
  /** The credentials and options of the login method. */
  | 'check-login'
  /** The mount path, the version of its engine and the Vault namespace. */
  | 'check-mount'
  /** What is mounted at the mount path of a source or reference. */
  | 'check-mount-of-source'
  /** The Vault namespace does not exist. */
  | 'check-namespace'
  /** The path of the secret. */
  | 'check-path'
  /** A proxy between this process and Vault. */
  | 'check-proxy'
  /** The log of the server or of a proxy. */
  | 'check-server-log'
  /** One of the unseal keys is wrong. */
  | 'check-unseal-keys'
  /** The token is not valid: create a new one. */
  | 'create-token'
  /** Delete the secret for good to leave it out. */
  | 'delete-metadata'
  /** Certificates and TLS settings. */
  | 'fix-tls'
  /** The server is new. */
  | 'initialize-server'
  /** The token of the Kubernetes service account is missing. */
  | 'mount-service-account-token'
  /** The values of the configuration that need the secret. */
  | 'needed-by'
  /** `request.timeoutMs`, or the health of the server. */
  | 'raise-timeout'
  /** Another client wrote the secret: read it, then write with the new version. */
  | 'read-again'
  /** The last segment of the path is a key of another secret. */
  | 'read-parent'
  /** The wrapping token is used up or was stolen. */
  | 'reissue-wrapping-token'
  /** The module adds `data/` and the mount. */
  | 'remove-path-prefix'
  /** The request lacks a parameter. */
  | 'send-parameter'
  /** `auth.namespace`. */
  | 'set-auth-namespace'
  /** `tls.ca`. */
  | 'set-ca'
  /** `tls.cert` and `tls.key`, if the server asks for them. */
  | 'set-client-certificate'
  /** `request.proxy`. */
  | 'set-proxy'
  /** User name and password in `request.proxy`. */
  | 'set-proxy-credentials'
  /** Why the snapshot could not be used either. */
  | 'snapshot-unusable'
  /** The request has more JSON strings than the server takes. */
  | 'split-data'
  /** The version was deleted. */
  | 'undelete-version'
  /** The command that undeletes it. */
  | 'undelete-with-command'
  /** The server is sealed. */
  | 'unseal-server'
  /** The server speaks TLS. */
  | 'use-https'
  /** The secret does not exist, or its data is gone. */
  | 'write-secret';

/**
 * A fix that an error suggests.
 * @publicApi
 */
export interface VaultAdvice {
  readonly id: VaultAdviceId;
  /** Sentences for the message. They may change in any version. */
  readonly text: string;
}

/**
 * What an error is made of besides its problem.
 * @publicApi
 */
export interface VaultErrorParts extends VaultErrorDetails {
  /** What the server said, without any secret of the request. */
  readonly serverErrors?: readonly string[] | undefined;
  /** What to do about it, in the order of the message. */
  readonly advice?: readonly VaultAdvice[] | undefined;
}

/**
 * Base of every error this module throws.
 *
 * The message is the problem (what failed, where and why) followed by the advice. Neither the message nor any field ever
 * holds a token, a credential or a secret value, and there is no `cause`: it is safe to log in any form. Errors are not
 * changed after they are made.
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
  /** Ids of the fixes that the message suggests; absent when it suggests none by id. */
  declare readonly advice?: readonly VaultAdviceId[];
  readonly #problem: string;
  readonly #advice: readonly VaultAdvice[];
  readonly #serverErrors: readonly string[];

  /** @param problem what failed, where and why, in sentences without the advice */
  constructor(problem: string, parts: VaultErrorParts = {}) {
    const advice = parts.advice ?? [];
    super(printableMessage([problem, ...advice.map(({ text }) => text)].join(' ')));
    this.#problem = problem;
    this.#advice = advice;
    this.#serverErrors = Object.freeze([...(parts.serverErrors ?? [])]);
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true });
    // Field by field, so that a caller's object can never smuggle anything else in.
    const { operation, path, mountPath, statusCode, namespace, endpoint, reason } = parts;
    const ids = advice.length > 0 ? Object.freeze(advice.map(({ id }) => id)) : undefined;
    const known = { operation, path, mountPath, statusCode, namespace, endpoint, reason, advice: ids };
    for (const [key, value] of Object.entries(known)) if (value !== undefined) Object.assign(this, { [key]: value });
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether the same call may succeed later without any change on your side. */
  get retryable(): boolean {
    return false;
  }

  /** What the server said, tidied and without any secret of the request; empty when it said nothing. */
  get serverErrors(): readonly string[] {
    return this.#serverErrors;
  }

  /**
   * The same error with more advice. Advice whose id the error has already takes the place of the older one.
   *
   * @returns a new error of the same class, with the same code, fields and stack frames
   */
  withAdvice(...advice: readonly VaultAdvice[]): this {
    const kept = this.#advice.filter(({ id }) => !advice.some((added) => added.id === id));
    return this.as(this.constructor as VaultErrorType<this>, { advice: [...kept, ...advice] });
  }

  /**
   * The same failure as an error of another class, because its cause is known better, or with other parts.
   *
   * @param changes parts that replace those of this error
   * @returns a new error with this error's other parts and its stack frames
   */
  as<E extends VaultError>(type: VaultErrorType<E>, changes: VaultErrorParts & { readonly problem?: string }): E {
    const { problem = this.#problem, ...parts } = changes;
    const own = { ...(this as VaultErrorDetails), serverErrors: this.#serverErrors, advice: this.#advice };
    const error = new type(problem, { ...own, ...parts } as never);
    const frames = this.stack?.indexOf(FRAMES) ?? -1;
    if (frames >= 0) {
      const [header = ''] = error.stack?.split(FRAMES, 1) ?? [];
      const value = `${header}${this.stack?.slice(frames) ?? ''}`;
      Object.defineProperty(error, 'stack', { value, writable: true, configurable: true });
    }
    return error;
  }
}

/**
 * A class of {@link VaultError} that is made of a problem and parts.
 * @publicApi
 */
export type VaultErrorType<E extends VaultError> = new (problem: string, parts: never) => E;

/**
 * Tells whether a value is an error of this module. Unlike `instanceof` it also recognizes errors of another copy of
 * the package in the same process (ESM beside CommonJS).
 * @publicApi
 */
export function isVaultError(value: unknown): value is VaultError {
  return value instanceof Error && (value as { [BRAND]?: boolean })[BRAND] === true;
}
