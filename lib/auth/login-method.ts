import type { Shape } from '../options/check-options.js';
import type { TlsOptions } from '../client/connections/tls.options.js';
import type { Requester } from '../client/vault-client.js';
import type { Credential } from './credential.js';

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
