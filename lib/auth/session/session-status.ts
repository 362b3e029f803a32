import type { VaultEvent } from '../../observability/vault-event.js';
import type { Clock } from './clock.js';

/**
 * - `starting`: the first login has not succeeded yet;
 * - `active`: there is a valid token, and nothing to do;
 * - `renewing`: the token is valid, and being renewed or replaced as planned;
 * - `recovering`: something failed. Either the token is still valid and its renewal is being tried again, or it is not and
 *   a login is under way; calls are served, or wait for it;
 * - `lost`: there is no valid token, and the last login failed. It is tried again in the background, and for callers;
 * - `closed`: for good, after shutdown.
 * @publicApi
 */
export type VaultSessionState = 'starting' | 'active' | 'renewing' | 'recovering' | 'lost' | 'closed';

/**
 * How the session is doing. Tells of each change once.
 * @internal
 */
export class SessionStatus {
  #phase: 'starting' | 'open' | 'closed' = 'starting';
  #condition: 'fine' | 'recovering' | 'lost' = 'fine';
  #working = 0;

  readonly #clock: Clock;
  readonly #emit: (event: VaultEvent) => void;

  constructor(clock: Clock, emit: (event: VaultEvent) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /** @param valid whether there is a token that has not ended */
  state(valid: boolean): VaultSessionState {
    if (this.#phase !== 'open') return this.#phase;
    if (this.#condition !== 'fine') return this.#condition;
    if (!valid) return 'recovering';
    return this.#working > 0 ? 'renewing' : 'active';
  }

  get open(): boolean {
    return this.#phase === 'open';
  }

  get closed(): boolean {
    return this.#phase === 'closed';
  }

  get inTrouble(): boolean {
    return this.#condition !== 'fine';
  }

  /** There is a token with a life before it. */
  fine(): void {
    if (this.closed) return;
    this.#phase = 'open';
    const recovered = this.inTrouble;
    this.#condition = 'fine';
    if (recovered) this.#tell('session-recovered', undefined);
  }

  recovering(reason: string): void {
    if (!this.open || this.inTrouble) return;
    this.#condition = 'recovering';
    this.#tell('session-recovering', reason);
  }

  lost(reason: string): void {
    if (!this.open || this.#condition === 'lost') return;
    this.#condition = 'lost';
    this.#tell('session-lost', reason);
  }

  close(): void {
    this.#phase = 'closed';
  }

  /** Everything has been given back. */
  gone(): void {
    this.#tell('session-closed', undefined);
  }

  /** The state is `renewing` meanwhile, when nothing is wrong. */
  async during(work: Promise<void>): Promise<void> {
    this.#working += 1;
    try {
      await work;
    } finally {
      this.#working -= 1;
    }
  }

  #tell(
    type: 'session-recovering' | 'session-lost' | 'session-recovered' | 'session-closed',
    reason: string | undefined,
  ): void {
    this.#emit({ type, at: new Date(this.#clock.now()), reason });
  }
}
