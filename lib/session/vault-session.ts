import type { SessionManager } from './session-manager.js';
import type { VaultSessionState, VaultSessionStatus } from './session-options.js';

/**
 * The identity of the application at the server. The module logs in, renews and replaces the token and revokes it at
 * shutdown by itself, through any failure of server or network; nothing here has to be called.
 * @publicApi
 */
export class VaultSession {
  readonly #manager: SessionManager;

  /** @internal */
  constructor(manager: SessionManager) {
    this.#manager = manager;
  }

  /** The session at this moment, as plain data. */
  get status(): VaultSessionStatus {
    return this.#manager.status;
  }

  get state(): VaultSessionState {
    return this.#manager.status.state;
  }

  /** Accessor of the token. It names the token in Vault's audit log and is not a secret. Batch tokens have none. */
  get accessor(): string | undefined {
    return this.#manager.status.accessor;
  }

  /** Policies attached to the token. */
  get policies(): readonly string[] {
    return this.#manager.status.policies;
  }

  /** When the token ends, by the clock of this machine; later after each renewal. `undefined` when it never does. */
  get expiresAt(): Date | undefined {
    return this.#manager.status.expiresAt;
  }

  /**
   * Logs in again. Concurrent callers share one login. A failed login is not remembered, and leaves the session as it was.
   *
   * The replaced token is revoked 30 s later, when this module obtained it and calls that use it have ended; leases made
   * with it end then. With `shutdown.revoke: false` it expires instead.
   *
   * @throws VaultAuthenticationError when the server denies the login
   * @throws VaultClosedError after shutdown
   */
  relogin(): Promise<void> {
    return this.#manager.login();
  }
}
