import type { Shape } from '../options/check-options.js';
import type { TlsOptions } from '../client/connections/tls.options.js';
import type { Requester } from '../client/vault-client.js';
import type { Credential } from './credential.js';

/** The outcome of a login. @internal */
export interface Login {
  /** `undefined` when somebody between the module and the server adds it (`none`). */
  readonly token: string | undefined;
  readonly accessor: string | undefined;
  readonly policies: readonly string[];
  /** Seconds the token lives from the moment of the login; 0 = for ever. */
  readonly leaseDuration: number;
  readonly renewable: boolean;
  /** Requests the token is good for, from the login on; absent or 0 = any number, below 0 = none. */
  readonly numUses?: number;
  /** `service` or `batch`. */
  readonly tokenType: string;
  /** Vault namespace the token was issued in; `undefined` for the client's own. */
  readonly namespace: string | undefined;
  /** True when this module obtained the token and so may revoke it. */
  readonly owned: boolean;
}

/** One way to obtain a token; made once, asked at every login. @internal */
export interface LoginMethod {
  readonly method: string;
  /** How long a login may take, in milliseconds. Default: 60 000. */
  readonly loginTimeoutMs?: number | undefined;
  /** @param signal ends it; also when the application closes while nothing is asked of the server */
  login(client: Requester, signal?: AbortSignal): Promise<Login>;
  /**
   * Calls back when there is a new token to be had without being asked for, so that the session logs in again.
   *
   * @returns ends the watching
   */
  watch?(changed: () => void): () => void;
}

/** What a method may want to know of the rest of the options. @internal */
export interface LoginContext {
  readonly tls: TlsOptions;
}

/** A login method as the registry knows it: what its options may be, and how it is made of them. @internal */
export interface LoginMethodDefinition<A extends { readonly method: string }, D extends keyof A = never> {
  /** Options besides `method`. */
  readonly shape: Shape;
  /** Credentials for options that are not given. */
  readonly defaults?: { readonly [K in D]: Credential };
  /** Environment variables with credentials that a library or platform reads for the method. */
  readonly platformVariables?: (auth: A) => readonly string[];
  /** @throws VaultInvalidOptionError for what a shape cannot say */
  create(auth: A & { readonly [K in D]-?: NonNullable<A[K]> }, context: LoginContext): LoginMethod;
}
