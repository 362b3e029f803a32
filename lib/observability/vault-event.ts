import type { VaultErrorCode } from '../errors/index.js';

/** What every event says. */
interface EventBase {
  /** By this machine's clock. */
  readonly at: Date;
}

/** A token, as far as it may be named. */
interface TokenFacts {
  /** Names the token in Vault's audit log; batch tokens have none. */
  readonly accessor: string | undefined;
  /** When the token ends; `undefined` when it never does. */
  readonly expiresAt: Date | undefined;
}

/** Why something failed; safe to log. */
interface Failure {
  /** `undefined` when it was no error of this module, such as one thrown by a function in the options. */
  readonly code: VaultErrorCode | undefined;
  readonly reason: string;
}

/** The module has logged in: for the first time at boot, which nobody can listen to yet, and later `again`. @publicApi */
export interface VaultLoginEvent extends EventBase, TokenFacts {
  readonly type: 'login';
  /** Login method, as in `auth.method`. */
  readonly method: string;
  readonly policies: readonly string[];
  readonly again: boolean;
}

/** A login has failed; it will be tried again. @publicApi */
export interface VaultLoginFailedEvent extends EventBase, Failure {
  readonly type: 'login-failed';
  readonly method: string;
}

/** The token lives longer. @publicApi */
export interface VaultTokenRenewedEvent extends EventBase, TokenFacts {
  readonly type: 'token-renewed';
}

/** The token was not renewed. It is tried again; when the server will not renew it any more (`final`), replaced in time. @publicApi */
export interface VaultRenewalFailedEvent extends EventBase, TokenFacts, Failure {
  readonly type: 'renewal-failed';
  readonly final: boolean;
}

/**
 * The session is in trouble (`recovering`, `lost`) or out of it again. Once for each change. `session-closed` is for the log:
 * `events$` has completed by then.
 * @publicApi
 */
export interface VaultSessionStateEvent extends EventBase {
  readonly type: 'session-recovering' | 'session-lost' | 'session-recovered' | 'session-closed';
  /** What led to it, where something failed. */
  readonly reason: string | undefined;
}

/** A request has failed and is sent again. @publicApi */
export interface VaultRequestRetriedEvent extends EventBase {
  readonly type: 'request-retried';
  /** HTTP status of the answer, when there was one. */
  readonly statusCode?: number | undefined;
  readonly reason: string;
  readonly operation: string;
  readonly endpoint: string;
  /** How many times it has been sent so far. */
  readonly attempt: number;
  /** Milliseconds until it is sent again. */
  readonly waitMs: number;
}

/** Calls go to another of the configured servers from now on. @publicApi */
export interface VaultEndpointChangedEvent extends EventBase {
  readonly type: 'endpoint-changed';
  readonly endpoint: string;
}

/**
 * The configuration is a snapshot's (`snapshot-used`, at boot, which nobody can listen to yet), or is Vault's again
 * (`snapshot-left`); or the snapshot needs somebody's attention, such as one that cannot be written (`snapshot-problem`).
 * @publicApi
 */
export interface VaultSnapshotEvent extends EventBase {
  readonly type: 'snapshot-used' | 'snapshot-left' | 'snapshot-problem';
  readonly file: string;
  readonly reason: string | undefined;
}

/** The configuration has changed, and the new values are in place. @publicApi */
export interface VaultConfigChangedEvent extends EventBase {
  readonly type: 'config-changed';
  /** As `ConfigService.get` takes them. */
  readonly keys: readonly string[];
  /** Versions of the secrets behind them; one is missing when the secret is new, or gone. */
  readonly secrets: readonly {
    readonly namespace?: string;
    readonly mountPath: string;
    readonly secretPath: string;
    readonly from?: number;
    readonly to?: number;
  }[];
}

/** What a refresh could not read or had to refuse is another than before; none (`codes` is empty) when all is well again. @publicApi */
export interface VaultConfigProblemEvent extends EventBase {
  readonly type: 'config-problem';
  readonly codes: readonly VaultErrorCode[];
}

/**
 * What happens in a running module, told apart by `type`. Events never hold a token or a secret value.
 * @publicApi
 */
export type VaultEvent =
  | VaultLoginEvent
  | VaultLoginFailedEvent
  | VaultTokenRenewedEvent
  | VaultRenewalFailedEvent
  | VaultSessionStateEvent
  | VaultRequestRetriedEvent
  | VaultEndpointChangedEvent
  | VaultSnapshotEvent
  | VaultConfigChangedEvent
  | VaultConfigProblemEvent;
