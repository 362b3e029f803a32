import type { Clock, Moment } from './clock.js';
import { momentOf, since } from './clock.js';
import type { Login } from '../login-method.js';
import { marginMs } from './renewal-schedule.js';

/**
 * A token and what is known of its life: how long it lives, how often it may be used, who is using it.
 * @internal
 */
export class HeldToken {
  // The token is in there: private, so that no logger or inspector finds it.
  #login: Login;
  #granted: Moment;
  #usesLeft: number;
  #users = 0;
  #longestTtlMs = 0;
  #dead = false;
  #onIdle: (() => void) | undefined;
  /** True when the server will not let it live longer: no renewal, or none any more. */
  final: boolean;
  /** True once the server has taken it. */
  proven = false;

  readonly #clock: Clock;

  constructor(login: Login, clock: Clock) {
    this.#clock = clock;
    this.#login = login;
    this.#granted = momentOf(clock);
    this.#usesLeft = login.numUses || Infinity;
    this.final = !isRenewable(login);
    this.#longestTtlMs = this.ttlMs;
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
    return this.#dead ? 0 : Math.max(0, this.ttlMs - since(this.#granted, this.#clock));
  }

  /** True when so little of its life is left that it should have been renewed or replaced already. */
  get late(): boolean {
    return this.remainingMs <= marginMs(this.#longestTtlMs);
  }

  get expiresAt(): Date | undefined {
    return this.ttlMs === Infinity ? undefined : new Date(this.#granted.wall + this.ttlMs);
  }

  get usable(): boolean {
    return this.remainingMs > 0 && this.#usesLeft > 0;
  }

  /** True when a fifth of its uses is left, and so it is time for another token. */
  get nearlyUsedUp(): boolean {
    const reserve = Math.floor((this.#login.numUses ?? 0) / 5);
    return reserve > 0 && this.#usesLeft <= reserve;
  }

  get usesLeft(): number {
    return this.#usesLeft;
  }

  get idle(): boolean {
    return this.#users === 0;
  }

  /** The server says it does not know it. */
  declareDead(): void {
    this.#dead = true;
  }

  /** Takes a use and keeps the token from being let go. @returns ends that */
  lend(): () => void {
    this.#usesLeft -= 1;
    return this.hold();
  }

  /** Keeps the token from being let go. @returns ends that */
  hold(): () => void {
    this.#users += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#users -= 1;
      if (this.#users === 0) this.#onIdle?.();
    };
  }

  /** Calls back whenever the last user has ended. */
  whenIdle(callback: () => void): void {
    this.#onIdle = callback;
  }

  /** Takes over what the server said about the same token, as of then. */
  update(facts: Partial<Login>, asOf: Moment): void {
    this.#login = { ...this.#login, ...facts };
    this.#granted = asOf;
    this.#dead = false;
    this.#usesLeft = this.#login.numUses || Infinity;
    this.#longestTtlMs = Math.max(this.#longestTtlMs, this.ttlMs);
    this.final ||= !isRenewable(this.#login);
  }
}

/** A token with a number of uses is not renewed: each renewal would cost one. */
function isRenewable({ token, renewable, tokenType, numUses }: Login): boolean {
  return token !== undefined && renewable && tokenType !== 'batch' && !numUses;
}
