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
  #opening: AbortSignal | undefined;
  #closedAt = 0;
  #unwatch: (() => void) | undefined;

  readonly #method: LoginMethod;
  readonly #shutdown: { readonly revoke: boolean; readonly timeoutMs: number };

  /**
   * @param shutdown whether tokens this module obtained are revoked, and how long that may take
   * @internal
   */
  constructor(method: LoginMethod, shutdown: { readonly revoke: boolean; readonly timeoutMs: number }) {
    this.#method = method;
    this.#shutdown = shutdown;
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

  /** Logs in for the first time. The signal ends the login, and nothing after it. @internal */
  async open(client: VaultClient, signal?: AbortSignal): Promise<void> {
    this.#client = client;
    this.#opening = signal;
    await this.#logInOnce(signal);
    // A failed login leaves the session with the token it has, and is tried again at the next change.
    this.#unwatch = this.#method.watch?.(() => void this.relogin().catch(() => undefined));
  }

  /**
   * Logs in again. Callers that ask at the same time share one login; a failed one is not remembered, and leaves the
   * session as it was. The token that is replaced is revoked when this module obtained it, and the leases made with it
   * end; not so with `shutdown.revoke: false`.
   *
   * @throws VaultAuthenticationError when the server refuses
   */
  relogin(): Promise<void> {
    return this.#logInOnce(undefined);
  }

  /**
   * Gives the token back: revokes it when this module obtained it, never when the user supplied it. So it does with the
   * token of a login that is under way. Never throws, and takes no longer than `shutdown.timeoutMs`; a server that cannot
   * be reached lets the token expire by itself.
   * @internal
   */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#closedAt = performance.now();
    this.#unwatch?.();
    const login = this.#login;
    this.#login = undefined;
    // A boot that was given up waits for nothing more: its requests are ended, and a credential function may never return.
    const loggingIn = this.#opening?.aborted ? undefined : this.#loggingIn;
    await Promise.all([
      login && this.#shutdown.revoke && this.#giveBack(login),
      loggingIn && within(this.#shutdown.timeoutMs, loggingIn),
    ]);
  }

  #logInOnce(signal: AbortSignal | undefined): Promise<void> {
    this.#loggingIn ??= this.#logIn(signal).finally(() => (this.#loggingIn = undefined));
    return this.#loggingIn;
  }

  async #logIn(signal: AbortSignal | undefined): Promise<void> {
    const client = this.#client;
    if (!client || this.#state === 'closed') throw closed();
    const login = await this.#method.login(client, signal);
    // Closed while the login was under way: nobody would ever give this token back.
    if (this.state === 'closed') {
      await this.#giveBack(login);
      throw closed();
    }
    const replaced = this.#login;
    this.#login = login;
    this.#expiresAt = login.leaseDuration > 0 ? new Date(Date.now() + login.leaseDuration * 1000) : undefined;
    this.#state = 'active';
    if (replaced && replaced.token !== login.token && this.#shutdown.revoke) await this.#giveBack(replaced);
  }

  async #giveBack({ token, owned, tokenType, namespace }: Login): Promise<void> {
    // A batch token cannot be revoked.
    if (!owned || token === undefined || tokenType === 'batch') return;
    const spent = this.#closedAt > 0 ? performance.now() - this.#closedAt : 0;
    await this.#client
      ?.request({
        method: 'POST',
        path: 'auth/token/revoke-self',
        token,
        // Where it was issued: a token is unknown in the namespaces above its own.
        ...(namespace !== undefined && { namespace }),
        timeoutMs: Math.max(1, this.#shutdown.timeoutMs - spent),
        operation: 'revoke the token of this application',
      })
      .catch(() => undefined);
  }
}

function closed(): VaultClosedError {
  return new VaultClosedError('Cannot log in: the Vault session of this application is closed.');
}

/** Resolves when the work has ended, well or badly, and at the latest after that time. */
async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
  await Promise.race([work.catch(() => undefined), limit]);
  clearTimeout(timer);
}
