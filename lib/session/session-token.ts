import type { Login } from '../auth/login.js';
import type { TokenHandle } from '../client/token-source.js';
import type { Clock, Moment } from '../lifetime/clock.js';
import { elapsedSince, momentOf } from '../lifetime/clock.js';
import { renewalMarginMs } from '../lifetime/renewal.js';

/**
 * A token and what is known of it: how long it lives, how often it may be used, which calls use it.
 * @internal
 */
export class SessionToken {
  // Contains the token: private, so that loggers and inspectors do not find it.
  #login: Login;
  #granted: Moment;
  #usesLeft: number;
  #users = 0;
  #maxTtlMs: number;
  #invalid = false;
  #onUnused: (() => void) | undefined;
  /** True when the server will not extend its life: it cannot be renewed, or no longer. */
  final: boolean;
  /** True once the server has accepted it. */
  accepted = false;

  readonly #clock: Clock;

  constructor(login: Login, clock: Clock) {
    this.#clock = clock;
    this.#login = login;
    this.#granted = momentOf(clock);
    this.#usesLeft = login.numUses || Infinity;
    this.final = !isRenewable(login);
    this.#maxTtlMs = this.ttlMs;
  }

  get login(): Login {
    return this.#login;
  }

  /** The life it was last granted. */
  get ttlMs(): number {
    const { leaseDuration } = this.#login;
    return leaseDuration > 0 ? leaseDuration * 1000 : Infinity;
  }

  get remainingMs(): number {
    return this.#invalid ? 0 : Math.max(0, this.ttlMs - elapsedSince(this.#granted, this.#clock));
  }

  get expiresAt(): Date | undefined {
    return this.ttlMs === Infinity ? undefined : new Date(this.#granted.wall + this.ttlMs);
  }

  get isValid(): boolean {
    return this.remainingMs > 0 && this.#usesLeft > 0;
  }

  /** True when so little of its life is left that it should have been renewed or replaced already. */
  get isOverdue(): boolean {
    return this.remainingMs <= renewalMarginMs(this.#maxTtlMs);
  }

  /** True when a fifth of a limited number of uses is left. */
  get isNearlyUsedUp(): boolean {
    const reserve = Math.floor((this.#login.numUses ?? 0) / 5);
    return reserve > 0 && this.#usesLeft <= reserve;
  }

  get isUnused(): boolean {
    return this.#users === 0;
  }

  /** The module may revoke it, and the server still knows it. */
  get isRevocable(): boolean {
    const { token, owned, tokenType } = this.#login;
    return this.isValid && token !== undefined && owned && tokenType !== 'batch';
  }

  /** The server does not accept it any more. */
  invalidate(): void {
    this.#invalid = true;
  }

  /** Counts a use. @param onAccepted called when the server has accepted the token for the first time */
  acquire(onAccepted: () => void): SessionTokenHandle {
    this.#usesLeft -= 1;
    this.#users += 1;
    return new SessionTokenHandle(this, (accepted) => {
      this.#users -= 1;
      if (this.isUnused) this.#onUnused?.();
      if (!accepted || this.accepted) return;
      this.accepted = true;
      onAccepted();
    });
  }

  /** Calls back whenever the last use has ended. */
  onUnused(callback: () => void): void {
    this.#onUnused = callback;
  }

  /** Takes over what the server said about the same token, as of that moment. */
  update(changes: Partial<Login>, asOf: Moment): void {
    this.#login = { ...this.#login, ...changes };
    this.#granted = asOf;
    this.#invalid = false;
    this.#usesLeft = this.#login.numUses || Infinity;
    this.#maxTtlMs = Math.max(this.#maxTtlMs, this.ttlMs);
    this.final ||= !isRenewable(this.#login);
  }
}

/** The token in use by one call. @internal */
export class SessionTokenHandle implements TokenHandle {
  readonly source: SessionToken;
  #onRelease: ((accepted: boolean) => void) | undefined;

  constructor(source: SessionToken, onRelease: (accepted: boolean) => void) {
    this.source = source;
    this.#onRelease = onRelease;
  }

  get token(): string | undefined {
    return this.source.login.token;
  }

  release(accepted: boolean): void {
    this.#onRelease?.(accepted);
    this.#onRelease = undefined;
  }
}

/** A token with a limited number of uses is not renewed, because each renewal is one of them. */
function isRenewable({ token, renewable, tokenType, numUses }: Login): boolean {
  return token !== undefined && renewable && tokenType !== 'batch' && !numUses;
}
