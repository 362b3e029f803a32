import type { VaultClient } from '../../client/vault-client.js';
import type { VaultEvent } from '../../observability/vault-event.js';
import { factsOfFailure } from '../../observability/facts-of-failure.js';
import type { Clock } from './clock.js';
import { Alarm, momentOf } from './clock.js';
import type { HeldToken } from './held-token.js';
import type { LoginFlight } from './login-flight.js';
import { nextBackoffMs, refreshAfterMs, retryAfterMs } from './renewal-schedule.js';
import { renewToken, verdictOnRenewal } from './renew-token.js';
import type { SessionStatus } from './session-status.js';

const LONGEST_RENEWAL_MS = 10_000;
const SHORTEST_RENEWAL_MS = 250;

/** What the upkeep works with. @internal */
export interface UpkeepParts {
  readonly client: () => VaultClient;
  readonly token: () => HeldToken | undefined;
  readonly flight: LoginFlight;
  readonly status: SessionStatus;
  readonly emit: (event: VaultEvent) => void;
  readonly clock: Clock;
  readonly random: () => number;
}

/**
 * Keeps a session alive in the background: renews the token in time, and replaces it when it cannot be renewed. One
 * alarm, one piece of work at a time, and no path from which an error could escape.
 * @internal
 */
export class TokenUpkeep {
  readonly #parts: UpkeepParts;
  readonly #alarm: Alarm;
  #started = false;
  #working = false;
  #renewalFailures = 0;
  #backoffMs: number | undefined;
  #loginNext = false;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
    this.#alarm = new Alarm(parts.clock);
  }

  /** Begins; before that, no alarm is set. */
  start(): void {
    this.#started = true;
    const token = this.#parts.token();
    if (token) this.plan(token, false);
  }

  /**
   * Plans the next step of a token that has just been granted a life.
   *
   * @param planned false after a login nobody had planned, so that instances that started together come apart
   */
  plan(token: HeldToken, planned: boolean): void {
    this.#renewalFailures = 0;
    this.#backoffMs = undefined;
    this.#loginNext = false;
    // A token that never ends costs no timer.
    if (token.ttlMs === Infinity) this.#alarm.cancel();
    else this.#wakeIn(refreshAfterMs(token.remainingMs, this.#parts.random(), planned));
  }

  /** Gets another token now, while this one still serves. */
  replaceSoon(): void {
    if (!this.#working) void this.#work(() => this.#logIn());
  }

  /** The server does not know the token. Whoever found out logs in for itself; this sees to it when nobody does. */
  tokenDied(token: HeldToken, reason: string): void {
    const { flight, status } = this.#parts;
    token.declareDead();
    // Issued, and not known: if that repeats, logins do not help.
    if (!token.proven) flight.tokenUnknown();
    status.recovering(reason);
    if (!this.#working) this.#wakeIn(Math.max(flight.closedForMs, this.#nextBackoff()));
  }

  /** A login failed, whoever asked for it. One that nobody needed changes nothing. */
  loginFailed(error: unknown): void {
    const { status, token } = this.#parts;
    const held = token();
    if (!status.open || (held?.usable && !this.#working && !status.inTrouble)) return;
    const { reason } = factsOfFailure(error);
    const backoffMs = this.#nextBackoff();
    if (held?.usable) status.recovering(reason);
    else status.lost(reason);
    this.#wakeIn(held?.usable ? Math.min(backoffMs, held.remainingMs) : backoffMs);
  }

  stop(): void {
    this.#alarm.cancel();
  }

  #wakeIn(delayMs: number): void {
    if (!this.#started || this.#parts.status.closed) return;
    this.#alarm.set(delayMs, () => void this.#work(() => this.#refresh()));
  }

  #nextBackoff(): number {
    this.#backoffMs = nextBackoffMs(this.#backoffMs, this.#parts.random());
    return this.#backoffMs;
  }

  async #work(step: () => Promise<void>): Promise<void> {
    if (this.#working || this.#parts.status.closed) return;
    this.#working = true;
    try {
      await this.#parts.status.during(step());
    } catch {
      // Told to the session by whoever failed; the alarm for the next attempt is set.
    } finally {
      this.#working = false;
    }
  }

  async #refresh(): Promise<void> {
    const token = this.#parts.token();
    if (!token?.usable || token.final) return this.#logIn();
    // With renewals failing and little left: a login, then a renewal again, in turns.
    this.#loginNext = this.#renewalFailures > 0 && token.late && !this.#loginNext;
    if (!this.#loginNext) return this.#renew(token);
    // Not waited for: a login may hang, and the server take renewals again meanwhile.
    this.#wakeIn(retryAfterMs(token.remainingMs, this.#renewalFailures, this.#parts.random()));
    void this.#logIn().catch(() => undefined);
  }

  async #logIn(): Promise<void> {
    const { flight, status, token } = this.#parts;
    const before = token();
    const remainingMs = before?.remainingMs ?? 0;
    await flight.now();
    const after = token();
    if (status.closed || after !== before || !after || after.remainingMs > remainingMs) return;
    // The source of a user's token still holds the same one.
    if (!after.late) return this.#wakeIn(refreshAfterMs(after.remainingMs, this.#parts.random(), true));
    const ends = after.expiresAt?.toISOString() ?? 'soon';
    status.recovering(
      `The token ends at ${ends}, and its source holds no other yet. Put a new one there, or use a login method.`,
    );
    this.#wakeIn(Math.min(this.#nextBackoff(), after.remainingMs));
  }

  async #renew(token: HeldToken): Promise<void> {
    const { client, clock, emit, flight, status } = this.#parts;
    const asOf = momentOf(clock);
    const timeoutMs = Math.max(SHORTEST_RENEWAL_MS, Math.min(LONGEST_RENEWAL_MS, token.remainingMs / 2));
    const outdated = (): boolean => status.closed || this.#parts.token() !== token;
    try {
      const facts = await renewToken(client(), token.login, timeoutMs);
      if (outdated()) return;
      const { leaseDuration } = facts;
      // Less than last time: its maximum comes into sight, and no renewal will get it past that.
      if (leaseDuration < token.login.leaseDuration) token.final = true;
      if (leaseDuration > 0) token.update(facts, asOf);
      token.proven = true;
      flight.worked();
      status.fine();
      emit({ type: 'token-renewed', at: new Date(clock.now()), ...tokenFacts(token) });
      this.plan(token, true);
    } catch (error) {
      if (outdated()) return;
      const verdict = verdictOnRenewal(error);
      const failure = factsOfFailure(error);
      const final = verdict !== 'later';
      emit({ type: 'renewal-failed', at: new Date(clock.now()), ...tokenFacts(token), ...failure, final });
      if (verdict === 'dead') {
        this.tokenDied(token, failure.reason);
        await this.#logIn();
      } else if (verdict === 'final') {
        token.final = true;
        this.plan(token, true);
      } else {
        this.#renewalFailures += 1;
        status.recovering(failure.reason);
        this.#wakeIn(retryAfterMs(token.remainingMs, this.#renewalFailures, this.#parts.random()));
      }
    }
  }
}

function tokenFacts({ login, expiresAt }: HeldToken): { accessor: string | undefined; expiresAt: Date | undefined } {
  return { accessor: login.accessor, expiresAt };
}
