import type { VaultErrorCode } from '../errors/index.js';
import type { Timers } from '../lifetime/timers.js';
import type { VaultEvent } from '../observability/vault-event.js';

/**
 * - `starting`: the first login has not succeeded yet;
 * - `active`: there is a valid token, and nothing to do;
 * - `renewing`: the token is valid, and is being renewed or replaced on schedule;
 * - `recovering`: something failed. Either the token is still valid and its renewal is retried, or it is not and a login is
 *   under way; calls are served, or wait for it;
 * - `lost`: there is no valid token, and the last login failed. It is retried in the background, and for calls;
 * - `closed`: for good, after shutdown.
 * @publicApi
 */
export type VaultSessionState = 'starting' | 'active' | 'renewing' | 'recovering' | 'lost' | 'closed';

/**
 * The session at one moment. Contains no secret.
 * @publicApi
 */
export interface VaultSessionStatus {
  readonly state: VaultSessionState;
  /** When the session was last opened, degraded, lost, recovered or closed. */
  readonly since: Date;
  /** The login method. */
  readonly method: string;
  /** Accessor of the token; batch tokens have none. */
  readonly accessor: string | undefined;
  /** Policies attached to the token. */
  readonly policies: readonly string[];
  /** When the token ends, by the clock of this machine; `undefined` when it never does. */
  readonly expiresAt: Date | undefined;
  /** The last login or renewal that failed, also after the session has recovered. */
  readonly lastFailure:
    { readonly at: Date; readonly code: VaultErrorCode | undefined; readonly reason: string } | undefined;
}

/** @internal */
export interface SessionOptions {
  /** Whether tokens that this module obtained are revoked, and how long `close` may take. */
  readonly shutdown: { readonly revoke: boolean; readonly timeoutMs: number };
  /** Takes the events of the session; must not throw. */
  readonly emit?: (event: VaultEvent) => void;
  /** Of the application. Default: its own. */
  readonly timers?: Timers;
  /** From 0 to below 1. */
  readonly random?: () => number;
  /** How long a replaced token stays valid, in milliseconds. Default: 30 000. */
  readonly graceMs?: number;
}
