import type { TlsOptions } from '../client/connections/tls.options.js';
import { encodeMount } from '../client/path.js';
import type { Requester } from '../client/vault-client.js';
import { VaultAuthenticationError, VaultInvalidOptionError } from '../errors/index.js';
import type { Shape } from '../options/check-options.js';
import { namespaceText, typeOf } from '../options/check-options.js';
import type { Credential } from './credential.js';
import type { MfaPasscodes } from './mfa.js';
import { checkMfa } from './mfa.js';

/** The outcome of a login. @internal */
export interface Login {
  /** `undefined` if an agent or proxy adds the token (`none`). */
  readonly token: string | undefined;
  readonly accessor: string | undefined;
  readonly policies: readonly string[];
  /** Seconds from the login until the token expires; 0 if it does not expire. */
  readonly leaseDuration: number;
  readonly renewable: boolean;
  /** Number of requests allowed after the login: unlimited if 0 or not set, none if negative. */
  readonly numUses?: number;
  /** `service` or `batch`. */
  readonly tokenType: string;
  /** Vault namespace the token was issued in; `undefined` for the client's own. */
  readonly namespace: string | undefined;
  /** Whether this module obtained the token and may revoke it. */
  readonly owned: boolean;
}

/** Obtains tokens; created once and used for every login. @internal */
export interface LoginMethod {
  readonly method: string;
  /** How long a login may take, in milliseconds. Default: 60 000. */
  readonly loginTimeoutMs?: number | undefined;
  /** @param signal ends it; also when the application closes while nothing is asked of the server */
  login(client: Requester, signal?: AbortSignal): Promise<Login>;
  /**
   * Watches for a new token, and calls `changed` when there is one, so that the session logs in again.
   *
   * @returns stops watching
   */
  watch?(changed: () => void): () => void;
}

/** Other module options that a login method may need. @internal */
export interface LoginContext {
  readonly tls: TlsOptions;
}

/** Defines a login method: its options and how it is created. @internal */
export interface LoginMethodDefinition<A extends { readonly method: string }, D extends keyof A = never> {
  /** Options besides `method`. */
  readonly shape: Shape;
  /** Default credentials by option. */
  readonly defaults?: { readonly [K in D]: Credential };
  /** Environment variables with credentials that a library or platform reads for the method. */
  readonly platformVariables?: (auth: A) => readonly string[];
  /** @throws VaultInvalidOptionError if the options are invalid in a way that `shape` cannot express */
  create(auth: A & { readonly [K in D]-?: NonNullable<A[K]> }, context: LoginContext): LoginMethod;
}

/**
 * Options of every login method.
 * @publicApi
 */
export interface LoginOptions {
  /**
   * Vault namespace to log in to, if the secrets are in another one. `''` is the root namespace. Default: `namespace`
   * of the module.
   */
  readonly namespace?: string;
}

/**
 * Options of every login method that is mounted in the server.
 * @publicApi
 */
export interface MountedLoginOptions extends LoginOptions {
  /** Path where the auth method is enabled, without `auth/`. Default: the name of the method. */
  readonly mountPath?: string;
  /**
   * Passcodes for a second factor, by the name, id or type of the method. Default: none; if the server requires a
   * factor, the error names it.
   */
  readonly mfa?: MfaPasscodes;
}

/** Checks for {@link LoginOptions}. @internal */
export const LOGIN_OPTIONS: Shape = { namespace: namespaceText };

/** Checks for {@link MountedLoginOptions}. @internal */
export const MOUNTED_LOGIN_OPTIONS: Shape = { ...LOGIN_OPTIONS, mountPath: typeOf('string'), mfa: checkMfa };

/** The mount of an auth method, encoded. @throws VaultInvalidPathError naming `auth.mountPath` @internal */
export function authMountPath(method: string, { mountPath }: MountedLoginOptions): string {
  return encodeMount(mountPath ?? method, 'auth.mountPath');
}

/**
 * The options themselves, when those that have no default are there. Types say so too, but not to everybody.
 *
 * @throws VaultInvalidOptionError naming the first that is missing
 * @internal
 */
export function requireOptions<A extends { readonly method: string }>(auth: A, ...names: (keyof A & string)[]): A {
  const missing = names.find((name) => auth[name] === undefined);
  if (missing === undefined) return auth;
  throw new VaultInvalidOptionError(`"auth.${missing}" is missing; the method "${auth.method}" needs it.`);
}

/**
 * Asserts that a text can be a token: not empty, without white space and characters that a header cannot contain. Any length
 * and prefix is valid: `s.`, `b.`, `hvs.`, UUIDs and custom ids.
 *
 * @param source where the token came from, for errors
 * @throws VaultAuthenticationError without the token
 * @internal
 */
export function checkToken(token: string, source: string): string {
  if (token === '') throw new VaultAuthenticationError(`The token from ${source} is empty.`);
  if (/\s/.test(token))
    throw new VaultAuthenticationError(
      `The token from ${source} has white space in it. Check for a line break or a second value.`,
    );
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new VaultAuthenticationError(
      `The token from ${source} has characters no token has. Check how it was copied or decoded.`,
    );
  return token;
}
