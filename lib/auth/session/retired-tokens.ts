import type { VaultClient } from '../../client/vault-client.js';
import type { Clock } from './clock.js';
import { Alarm } from './clock.js';
import type { HeldToken } from './held-token.js';
import type { Login } from '../login-method.js';

/** How long a replaced token lives on. */
export const GRACE_MS = 30_000;

/** Revoking in the background may take as long as any call. */
const REVOKE_MS = 10_000;

/**
 * Tokens that were replaced: each is revoked when its time of grace is over and nobody uses it any more. Those the user
 * supplied, and batch tokens, are only forgotten.
 * @internal
 */
export class RetiredTokens {
  readonly #waiting = new Map<HeldToken, Alarm>();
  readonly #client: () => VaultClient;
  readonly #clock: Clock;
  readonly #graceMs: number;

  constructor(client: () => VaultClient, clock: Clock, graceMs = GRACE_MS) {
    this.#client = client;
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  add(token: HeldToken): void {
    if (!isRevocable(token)) return;
    const grace = new Alarm(this.#clock);
    this.#waiting.set(token, grace);
    const letGo = (): void => {
      if (grace.pending || !token.idle || !this.#waiting.delete(token)) return;
      void this.revoke(token.login, REVOKE_MS);
    };
    token.whenIdle(letGo);
    grace.set(this.#graceMs, letGo);
  }

  /** Revokes all that wait, and one more, at once. Never rejects. */
  async revokeAll(current: HeldToken | undefined, timeoutMs: number): Promise<void> {
    const tokens = [...this.#waiting.keys(), ...(current && isRevocable(current) ? [current] : [])];
    this.forget();
    await Promise.all(tokens.map(({ login }) => this.revoke(login, timeoutMs)));
  }

  /** Leaves all that wait to expire by themselves. */
  forget(): void {
    for (const grace of this.#waiting.values()) grace.cancel();
    this.#waiting.clear();
  }

  /** Revokes a token when it may be revoked. Never rejects: one that is not reached expires by itself. */
  async revoke(login: Login, timeoutMs: number): Promise<void> {
    const { token, owned, tokenType, namespace } = login;
    if (token === undefined || !owned || tokenType === 'batch') return;
    await this.#client()
      .request({
        method: 'POST',
        path: 'auth/token/revoke-self',
        token,
        // Where it was issued: a token is unknown in the namespaces above its own.
        ...(namespace !== undefined && { namespace }),
        timeoutMs,
        // Twice is as good as once; a server that is gone holds nobody up for long.
        idempotent: true,
        retries: 1,
        operation: 'revoke the token of this application',
      })
      .catch(() => undefined);
  }
}

function isRevocable({ login, usable }: HeldToken): boolean {
  return usable && login.owned && login.tokenType !== 'batch';
}
