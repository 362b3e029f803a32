import type { VaultErrorCode } from '../errors/index.js';

/** Fields of every event. */
interface EventBase {
  /** Time of the event, by the clock of this machine. */
  readonly at: Date;
}

/** Fields that identify a token without revealing it. */
interface TokenFacts {
  /** Names the token in Vault's audit log. Batch tokens have none. */
  readonly accessor: string | undefined;
  /** Time when the token expires; `undefined` if it never does. */
  readonly expiresAt: Date | undefined;
}

/** Why something failed; safe to log. */
interface Failure {
  /**
   * Code of the error; `undefined` if it was not a `VaultError`, for example an error thrown by a function in the
   * options.
   */
  readonly code: VaultErrorCode | undefined;
  readonly reason: string;
}

/** The module has logged in. The first login happens at boot, before anything can subscribe. @publicApi */
export interface VaultLoginEvent extends EventBase, TokenFacts {
  readonly type: 'login';
  /** Login method, as in `auth.method`. */
  readonly method: string;
  /** Policies of the token. */
  readonly policies: readonly string[];
  /** `false` for the login at boot. */
  readonly again: boolean;
}

/** A login has failed. It is retried. @publicApi */
export interface VaultLoginFailedEvent extends EventBase, Failure {
  readonly type: 'login-failed';
  readonly method: string;
}

/** The token was renewed. @publicApi */
export interface VaultTokenRenewedEvent extends EventBase, TokenFacts {
  readonly type: 'token-renewed';
}

/** A renewal failed. It is retried, or with `final`, the token is replaced by a login before it expires. @publicApi */
export interface VaultRenewalFailedEvent extends EventBase, TokenFacts, Failure {
  readonly type: 'renewal-failed';
  /** The server will not renew this token any more, so that a login replaces it. */
  readonly final: boolean;
}

/**
 * The state of the session has changed: `recovering` if it is degraded, `lost` if there is no valid token, `recovered`
 * if it is active again. `session-closed` appears only in the log, because `events$` has completed by then.
 * @publicApi
 */
export interface VaultSessionStateEvent extends EventBase {
  readonly type: 'session-recovering' | 'session-lost' | 'session-recovered' | 'session-closed';
  /** Reason of the change, if something failed. Safe to log. */
  readonly reason: string | undefined;
}

/** A request has failed and is retried. @publicApi */
export interface VaultRequestRetriedEvent extends EventBase {
  readonly type: 'request-retried';
  /** HTTP status of the response, if there was one. */
  readonly statusCode?: number | undefined;
  readonly reason: string;
  /** Description of the call. */
  readonly operation: string;
  /** Server that the attempt went to. */
  readonly endpoint: string;
  /** Number of attempts so far. */
  readonly attempt: number;
  /** Delay until the next attempt, in milliseconds. */
  readonly waitMs: number;
}

/** Calls go to another configured server from now on. @publicApi */
export interface VaultEndpointChangedEvent extends EventBase {
  readonly type: 'endpoint-changed';
  readonly endpoint: string;
}

/**
 * The boot used the snapshot (`snapshot-used`; only in the log, because nothing can subscribe yet), the configuration
 * comes from Vault again (`snapshot-left`), or the snapshot could not be written (`snapshot-problem`).
 * @publicApi
 */
export interface VaultSnapshotEvent extends EventBase {
  readonly type: 'snapshot-used' | 'snapshot-left' | 'snapshot-problem';
  /** Path of the snapshot. */
  readonly file: string;
  readonly reason: string | undefined;
}

/** The configuration has changed. The new values are in place. @publicApi */
export interface VaultConfigChangedEvent extends EventBase {
  readonly type: 'config-changed';
  /** Keys that have changed, as you would pass them to `ConfigService.get`. */
  readonly keys: readonly string[];
  /** Those of them that no longer have a value from Vault. */
  readonly removed: readonly string[];
  /**
   * Secrets of these keys with their old and new versions. `from` is missing for a new secret, `to` for a removed one.
   */
  readonly secrets: readonly {
    readonly namespace?: string;
    readonly mountPath: string;
    readonly secretPath: string;
    readonly from?: number;
    readonly to?: number;
  }[];
}

/**
 * Keys have changed in Vault and keep their value in the application, because of `config.refresh.keys` or `refresh: false` of a
 * source. Emitted once for each new value.
 * @publicApi
 */
export interface VaultConfigNotRefreshedEvent extends EventBase {
  readonly type: 'config-not-refreshed';
  readonly keys: readonly string[];
}

/** A refresh failed with other errors than the one before. `codes` is empty after the recovery. @publicApi */
export interface VaultConfigProblemEvent extends EventBase {
  readonly type: 'config-problem';
  /** Codes of the errors. */
  readonly codes: readonly VaultErrorCode[];
  /** The errors, in the same order. */
  readonly problems: readonly VaultConfigurationProblem[];
  /** Whether the same refresh has changed other values. */
  readonly isPartial: boolean;
}

/**
 * What a refresh could not read or had to reject. Contains no value.
 * @publicApi
 */
export interface VaultConfigurationProblem {
  readonly code: VaultErrorCode;
  /** API path of the secret, where it is the problem of one. */
  readonly path: string | undefined;
  /** The message of the error. */
  readonly reason: string;
}

/**
 * Events of a running module, distinguished by `type`. They never contain a token or a secret value.
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
  | VaultConfigNotRefreshedEvent
  | VaultConfigProblemEvent;
