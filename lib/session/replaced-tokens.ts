import type { Login } from '../auth/login.js';
import type { Clock } from '../lifetime/clock.js';
import type { SessionToken } from './session-token.js';

const DEFAULT_GRACE_MS = 30_000;

/**
 * Tokens that were replaced. Each is revoked when its grace period is over and no call uses it any more.
 * @internal
 */
export class ReplacedTokens {
  /** With the function that ends the grace period. */
  readonly #waiting = new Map<SessionToken, () => void>();
  readonly #revoke: (login: Login) => void;
  readonly #clock: Clock;
  readonly #graceMs: number;

  constructor(revoke: (login: Login) => void, clock: Clock, graceMs = DEFAULT_GRACE_MS) {
    this.#revoke = revoke;
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** Tokens that may not be revoked are left alone. */
  add(token: SessionToken): void {
    if (!token.isRevocable) return;
    let isGraceOver = false;
    const revokeWhenUnused = (): void => {
      if (isGraceOver && token.isUnused && this.#waiting.delete(token)) this.#revoke(token.login);
    };
    token.onUnused(revokeWhenUnused);
    const cancel = this.#clock.setTimer(this.#graceMs, () => {
      isGraceOver = true;
      revokeWhenUnused();
    });
    this.#waiting.set(token, cancel);
  }

  /** Forgets them all. @returns those that were not revoked yet */
  clear(): SessionToken[] {
    const tokens = [...this.#waiting.keys()];
    for (const cancel of this.#waiting.values()) cancel();
    this.#waiting.clear();
    return tokens;
  }
}
