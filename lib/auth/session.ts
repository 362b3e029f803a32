import type { VaultClient } from '../client/vault-client.js';
import { VaultClosedError } from '../errors/index.js';
import type { Login, LoginMethod } from './login-method.js';

/**
 * `starting` until the first login, `active` while there is a token, `closed` for good after shutdown.
 * @publicApi
 */
export type VaultSessionState = 'starting' | 'active' | 'closed';

/**
 * The module's identity at the server: logs in, holds the token, gives it back.
 * @publicApi
 */
export class VaultSession {
  // Private fields, so that no logger or inspector finds the token.
  #client: VaultClient | undefined;
  #login: Login | undefined;
  #loggingIn: Promise<void> | undefined;
  #expiresAt: Date | undefined;
  #state: VaultSessionState = 'starting';

  readonly #method: LoginMethod;

  /** @internal */
  constructor(method: LoginMethod) {
    this.#method = method;
  }

  get state(): VaultSessionState {
    return this.#state;
  }

  /** Accessor of the token: names it in Vault's audit log without being a secret. Batch tokens have none. */
  get accessor(): string | undefined {
    return this.#login?.accessor;
  }

  /** Policies attached to the token. */
  get policies(): readonly string[] {
    return this.#login?.policies ?? [];
  }

  /** When the token ends, by this machine's clock; `undefined` when it never does. */
  get expiresAt(): Date | undefined {
    return this.#expiresAt;
  }

  /** The current token of a session; not a property, so that nobody comes across it. @internal */
  static tokenOf(session: VaultSession): string | undefined {
    return session.#login?.token;
  }

  /** Logs in for the first time. @internal */
  async open(client: VaultClient, signal?: AbortSignal): Promise<void> {
    this.#client = client;
    await this.relogin(signal);
  }

  /**
   * Logs in again. Callers that ask at the same time share one login; a failed one is not remembered.
   *
   * @throws VaultAuthenticationError when the server refuses
   */
  relogin(signal?: AbortSignal): Promise<void> {
    this.#loggingIn ??= this.#logIn(signal).finally(() => (this.#loggingIn = undefined));
    return this.#loggingIn;
  }

  /**
   * Gives the token back: revokes it when this module obtained it, never when the user supplied it. Never throws; a
   * server that cannot be reached lets the token expire by itself.
   * @internal
   */
  async close(timeoutMs: number, revoke: boolean): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const login = this.#login;
    this.#login = undefined;
    if (login) await this.#giveBack(login, timeoutMs, revoke);
  }

  async #logIn(signal: AbortSignal | undefined): Promise<void> {
    const client = this.#client;
    if (!client || this.#state === 'closed')
      throw new VaultClosedError('Cannot log in: the Vault session of this application is closed.');
    const login = await this.#method.login(client, signal);
    // Closed while the login was under way: nobody would ever give this token back.
    if (this.state === 'closed') {
      await this.#giveBack(login, 1000, true);
      throw new VaultClosedError('Cannot log in: the Vault session of this application is closed.');
    }
    const replaced = this.#login;
    this.#login = login;
    this.#expiresAt = login.leaseDuration > 0 ? new Date(Date.now() + login.leaseDuration * 1000) : undefined;
    this.#state = 'active';
    if (replaced && replaced.token !== login.token) await this.#giveBack(replaced, 1000, true);
  }

  async #giveBack(login: Login, timeoutMs: number, revoke: boolean): Promise<void> {
    // A batch token cannot be revoked.
    if (!revoke || !login.owned || login.tokenType === 'batch') return;
    await this.#client
      ?.request({
        method: 'POST',
        path: 'auth/token/revoke-self',
        token: login.token,
        timeoutMs,
        operation: 'revoke the token of this application',
      })
      .catch(() => undefined);
  }
}
