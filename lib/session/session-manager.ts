import { setImmediate as turn } from 'node:timers/promises';
import type { Login, LoginMethod } from '../auth/login.js';
import type { CallBudget, TokenHandle, TokenSource } from '../client/token-source.js';
import type { Requester } from '../client/vault-client.js';
import type { VaultPermissionError } from '../errors/index.js';
import {
  isVaultError,
  VaultAbortedError,
  VaultClosedError,
  VaultConnectionError,
  VaultSealedError,
  VaultServerError,
  VaultTimeoutError,
} from '../errors/index.js';
import { Backoff, backoffMs } from '../lifetime/backoff.js';
import type { Clock, Moment } from '../lifetime/clock.js';
import { elapsedSince, momentOf } from '../lifetime/clock.js';
import { ABORTED, race, sleep, TIMED_OUT } from '../lifetime/race.js';
import { renewalDelayMs, renewalRetryMs } from '../lifetime/renewal.js';
import { Timers } from '../lifetime/timers.js';
import { describeError } from '../observability/event-hub.js';
import type { VaultEvent } from '../observability/vault-event.js';
import { ReplacedTokens } from './replaced-tokens.js';
import type { SessionOptions, VaultSessionState, VaultSessionStatus } from './session-options.js';
import { SessionToken, SessionTokenHandle } from './session-token.js';
import { classifyRenewalError, lookUpValidity, renewToken, revokeToken } from './token-requests.js';

/** A credential function may never return. */
const LOGIN_TIMEOUT_MS = 60_000;
/** How long an aborted login may take to close what it has opened. */
const LOGIN_ABORT_GRACE_MS = 100;
const MIN_RENEWAL_TIMEOUT_MS = 250;
const MAX_RENEWAL_TIMEOUT_MS = 10_000;
/** Revoking a replaced token may take as long as any call. */
const REVOKE_TIMEOUT_MS = 10_000;
/** A token that was found valid is not looked up again for this long: a policy that denies a busy path costs no more. */
const LOOKUP_CACHE_MS = 5_000;
/** Longer than most calls wait, so that they fail at once. */
const COOLDOWN = { firstMs: 1_000, maxMs: 30_000 };
/** While the server is away: it has denied nothing, and may be back at any moment. */
const COOLDOWN_WHEN_UNAVAILABLE = { firstMs: 1_000, maxMs: 5_000 };
const UNAVAILABLE = [VaultConnectionError, VaultSealedError, VaultServerError, VaultTimeoutError];
const BACKGROUND_LOGIN_BACKOFF = { firstMs: 1_000, maxMs: 300_000, jitter: [0.75, 1] } as const;

type Condition = 'healthy' | 'recovering' | 'lost';
const TRANSITION_EVENTS = {
  healthy: 'session-recovered',
  recovering: 'session-recovering',
  lost: 'session-lost',
} as const;

/**
 * The session as one state machine: logs in, renews the token, replaces it, supplies it to calls, and revokes it. Nothing
 * that happens in the background rejects.
 *
 * Its state is derived: from `#phase`, then from `#condition` unless that is healthy, then from the token and from whether
 * a step of the background work is under way.
 * @internal
 */
export class SessionManager implements TokenSource {
  #phase: 'starting' | 'open' | 'closed' = 'starting';
  #condition: Condition = 'healthy';
  #since: number;
  #lastFailure: VaultSessionStatus['lastFailure'];
  // Private, so that loggers and inspectors do not find the token.
  #token: SessionToken | undefined;

  /** The login under way, which all callers share. */
  #login: Promise<void> | undefined;
  /** Ends it, and resolves when it has reacted to that. */
  #abortLogin: ((reason: Error) => Promise<void>) | undefined;
  #loginCount = 0;
  /** Requests of logins that the server is processing: a response may contain a token, which has to be revoked. */
  readonly #loginRequests = new Set<Promise<unknown>>();
  /** Logins in a row that failed or whose token was not accepted, and the last of them. */
  #failedLogins = 0;
  #rejectedTokens = 0;
  #loginEnded: Moment | undefined;
  #loginError: Error | undefined;
  /** The wait for the end of the cooldown, which all callers share. */
  #afterCooldown: Promise<void> | undefined;
  readonly #closing = new AbortController();

  /** Background work: one timer for the next step, and one step at a time. */
  #started = false;
  #isWorking = false;
  #cancelStep: (() => void) | undefined;
  #failedRenewals = 0;
  /** Whether the next step is a login although the token can be renewed. */
  #isLoginNext = false;
  readonly #loginBackoff: Backoff;
  #unwatch: (() => void) | undefined;

  /** What is known from looking up the current token after a denial. */
  #lookup: { readonly token: SessionToken; readonly isInvalid: Promise<boolean> } | undefined;
  #foundValid: { readonly token: SessionToken; readonly at: Moment } | undefined;

  readonly #client: Requester;
  readonly #method: LoginMethod;
  readonly #shutdown: SessionOptions['shutdown'];
  readonly #emit: (event: VaultEvent) => void;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #replaced: ReplacedTokens;

  /** @param client sends requests without a token of their own as they are */
  constructor(client: Requester, method: LoginMethod, options: SessionOptions) {
    const { shutdown, emit = () => undefined, timers = new Timers(), random = Math.random, graceMs } = options;
    this.#client = client;
    this.#method = method;
    this.#shutdown = shutdown;
    this.#emit = emit;
    this.#clock = timers;
    this.#random = random;
    this.#since = timers.now();
    this.#loginBackoff = new Backoff(BACKGROUND_LOGIN_BACKOFF, random);
    this.#replaced = new ReplacedTokens((login) => void revokeToken(client, login, REVOKE_TIMEOUT_MS), timers, graceMs);
  }

  get state(): VaultSessionState {
    if (this.#phase !== 'open') return this.#phase;
    if (this.#condition !== 'healthy') return this.#condition;
    if (!this.#token || this.#token.remainingMs <= 0) return 'recovering';
    return this.#isWorking ? 'renewing' : 'active';
  }

  get status(): VaultSessionStatus {
    return Object.freeze({
      state: this.state,
      since: new Date(this.#since),
      method: this.#method.method,
      accessor: this.#token?.login.accessor,
      policies: this.#token?.login.policies ?? [],
      expiresAt: this.#token?.expiresAt,
      lastFailure: this.#lastFailure,
    });
  }

  /** The login in use, with its token. */
  get currentLogin(): Login | undefined {
    return this.#token?.login;
  }

  /**
   * Logs in. Concurrent callers share one login.
   *
   * @param signal aborts it
   * @throws VaultAuthenticationError when the server denies it, VaultClosedError, or another `VaultError`
   */
  login(signal?: AbortSignal): Promise<void> {
    this.#login ??= this.#logIn(signal).finally(() => (this.#login = undefined));
    return this.#login;
  }

  /**
   * Starts the background work. Before that, an application whose boot fails elsewhere leaves no timer behind; a call that
   * finds the token expired logs in all the same.
   */
  start(): void {
    if (this.#started || this.#phase === 'closed') return;
    this.#started = true;
    if (!this.#token) return;
    this.#watch();
    this.#plan(this.#token, false);
  }

  acquire(budget: CallBudget): TokenHandle | Promise<TokenHandle> {
    if (this.#phase === 'closed') throw closedFor(budget.operation);
    return this.#token?.isValid ? this.#use(this.#token) : this.#acquireAfterLogin(budget);
  }

  async replaceRejected(
    handle: TokenHandle,
    _error: VaultPermissionError,
    budget: CallBudget,
  ): Promise<TokenHandle | undefined> {
    // Neither a token of another session, nor one that a proxy adds.
    if (!(handle instanceof SessionTokenHandle) || handle.token === undefined) return undefined;
    const rejected = handle.source;
    if (rejected === this.#token && rejected.isValid) {
      if (!(await this.#isInvalid(rejected)) || this.#phase === 'closed') return undefined;
      if (rejected === this.#token) {
        const reason = 'The server does not know the token any more: it was revoked, or its storage restored.';
        this.#invalidate(rejected, reason);
      }
    }
    if (this.#token?.isValid) return this.#use(this.#token);
    // A server that issues tokens and rejects them is left alone during the cooldown.
    if (this.#cooldownMs > 0 && !this.#login) return undefined;
    return this.#acquireAfterLogin(budget);
  }

  /**
   * Ends the session. Revokes the tokens that this module obtained: the current one, replaced ones in their grace period,
   * and that of a login that the server is processing. A login that waits for anything else, such as a function that
   * supplies a credential, is aborted; a token it obtains after that expires. Never rejects, and takes at most
   * `shutdown.timeoutMs`.
   */
  async close(): Promise<void> {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#since = this.#clock.now();
    this.#unwatch?.();
    this.#cancelStep?.();
    this.#closing.abort();
    const { revoke, timeoutMs } = this.#shutdown;
    const tokens = this.#replaced.clear();
    if (this.#token?.isRevocable) tokens.push(this.#token);
    this.#token = undefined;
    const revoked = revoke ? tokens.map(({ login }) => revokeToken(this.#client, login, timeoutMs)) : [];
    const loginEnded = this.#loginRequestsEnded().then(() =>
      race(this.#abortLogin?.(closed()), { timeoutMs: LOGIN_ABORT_GRACE_MS }),
    );
    await race(Promise.allSettled([...revoked, loginEnded]), { timeoutMs });
    void this.#abortLogin?.(closed());
    this.#emitTransition('session-closed', undefined);
  }

  // --- State

  /** Changes the condition and emits that, once for each change. A session that was never opened has none. */
  #transition(condition: Condition, reason?: string): void {
    if (this.#phase === 'closed' || (this.#phase === 'starting' && condition !== 'healthy')) return;
    const isFirst = this.#phase === 'starting';
    this.#phase = 'open';
    // A lost session recovers only with a token.
    const isChange = condition !== this.#condition && !(condition === 'recovering' && this.#condition === 'lost');
    if (isFirst || isChange) this.#since = this.#clock.now();
    if (!isChange) return;
    this.#condition = condition;
    this.#emitTransition(TRANSITION_EVENTS[condition], reason);
  }

  #emitTransition(
    type: 'session-recovering' | 'session-lost' | 'session-recovered' | 'session-closed',
    reason: string | undefined,
  ): void {
    this.#emit({ type, at: new Date(this.#clock.now()), reason });
  }

  #noteFailure(error: unknown): { readonly at: Date } & ReturnType<typeof describeError> {
    const failure = { at: new Date(this.#clock.now()), ...describeError(error) };
    this.#lastFailure = Object.freeze(failure);
    return failure;
  }

  // --- Tokens of calls

  #use(token: SessionToken): TokenHandle {
    const handle = token.acquire(() => this.#resetCooldown());
    if (token.isNearlyUsedUp) this.#replaceInBackground();
    return handle;
  }

  /** Waits through failed logins that may succeed later, as long as the call has time. */
  async #acquireAfterLogin({ timeLeftMs, operation }: CallBudget): Promise<TokenHandle> {
    const start = momentOf(this.#clock);
    const leftMs = (): number => timeLeftMs - elapsedSince(start, this.#clock);
    for (;;) {
      try {
        await this.#loginAfterCooldown(leftMs());
        break;
      } catch (error) {
        const mayRecover = isVaultError(error) && error.retryable && this.#cooldownMs < leftMs();
        // The phase may have changed while the login was awaited.
        if (!mayRecover || this.state === 'closed') throw error;
      }
    }
    if (!this.#token) throw closedFor(operation);
    return this.#use(this.#token);
  }

  /** Whether the server rejects a token as unknown. All calls that were denied together share one lookup. Never rejects. */
  #isInvalid(token: SessionToken): Promise<boolean> {
    // A lookup would be one more use, and most likely such a token is used up.
    if (token.login.numUses) return Promise.resolve(true);
    const isKnown =
      this.#foundValid?.token === token && elapsedSince(this.#foundValid.at, this.#clock) < LOOKUP_CACHE_MS;
    if (isKnown) return Promise.resolve(false);
    if (this.#lookup?.token === token) return this.#lookup.isInvalid;
    const isInvalid = lookUpValidity(this.#client, token.login).then((validity) => {
      if (validity === 'valid') this.#foundValid = { token, at: momentOf(this.#clock) };
      if (this.#lookup?.isInvalid === isInvalid) this.#lookup = undefined;
      return validity === 'invalid';
    });
    this.#lookup = { token, isInvalid };
    return isInvalid;
  }

  /** The server rejects the token as unknown. The caller logs in; a step is planned in case it does not. */
  #invalidate(token: SessionToken, reason: string): void {
    token.invalidate();
    if (!token.accepted) {
      // One such token may have been revoked; when it happens again, logins do not help.
      this.#rejectedTokens += 1;
      if (this.#rejectedTokens > 1) this.#failedLogins += 1;
    }
    this.#transition('recovering', reason);
    if (!this.#isWorking) this.#planStep(Math.max(this.#cooldownMs, this.#loginBackoff.next()));
  }

  // --- Logins

  /** Milliseconds for which calls start no login. */
  get #cooldownMs(): number {
    if (!this.#loginEnded) return 0;
    const isUnavailable = UNAVAILABLE.some((type) => this.#loginError instanceof type);
    const cooldownMs = backoffMs(this.#failedLogins, isUnavailable ? COOLDOWN_WHEN_UNAVAILABLE : COOLDOWN);
    return Math.max(0, cooldownMs - elapsedSince(this.#loginEnded, this.#clock));
  }

  #resetCooldown(): void {
    this.#failedLogins = 0;
    this.#rejectedTokens = 0;
  }

  /** `login` for calls, of which there may be thousands a second. A call with less time gets the last failure. */
  #loginAfterCooldown(timeLeftMs: number): Promise<void> {
    if (this.#login) return this.#login;
    const cooldownMs = this.#cooldownMs;
    if (cooldownMs === 0) return this.login();
    if (cooldownMs >= timeLeftMs && this.#loginError) return Promise.reject(this.#loginError);
    this.#afterCooldown ??= this.#sleepAndLogIn(cooldownMs).finally(() => (this.#afterCooldown = undefined));
    return this.#afterCooldown;
  }

  async #sleepAndLogIn(cooldownMs: number): Promise<void> {
    const before = this.#loginCount;
    await sleep(cooldownMs, { clock: this.#clock, signal: this.#closing.signal });
    // A login that did not wait may have succeeded.
    if (this.#loginCount === before) await this.login();
  }

  async #logIn(signal: AbortSignal | undefined): Promise<void> {
    const { loginTimeoutMs: timeoutMs = LOGIN_TIMEOUT_MS } = this.#method;
    const controller = new AbortController();
    let reason: Error | undefined;
    const abort = (because: Error): void => {
      reason ??= because;
      controller.abort();
    };
    const onAbort = (): void => abort(aborted());
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    // Not awaited when it is aborted: a function of the application may ignore the signal.
    const attempt = this.#attemptLogin(controller.signal);
    this.#abortLogin = async (because) => {
      abort(because);
      await attempt.catch(() => undefined);
    };
    try {
      const outcome = await race(attempt, { timeoutMs, signal: controller.signal, clock: this.#clock });
      if (outcome === TIMED_OUT) abort(timedOut(timeoutMs));
      // An attempt that reacts to the signal knows better what it was waiting for.
      else if (outcome === ABORTED && signal?.aborted) await Promise.race([attempt, turn()]);
      if (reason) throw reason;
      this.#loginError = undefined;
      this.#loginCount += 1;
    } catch (error) {
      this.#failedLogins += 1;
      this.#loginError = error as Error;
      // A login that its caller aborted has not failed.
      if (!signal?.aborted) this.#loginFailed(error);
      throw error;
    } finally {
      this.#abortLogin = undefined;
      signal?.removeEventListener('abort', onAbort);
      this.#loginEnded = momentOf(this.#clock);
    }
  }

  async #attemptLogin(signal: AbortSignal): Promise<void> {
    const isClosed = (): boolean => this.#phase === 'closed';
    if (isClosed()) throw closed();
    const client = this.#client;
    const tracked: Requester = {
      get endpoint() {
        return client.endpoint;
      },
      request: (request) => this.#track(client.request(request)),
    };
    const login = await this.#method.login(tracked, signal).catch((error: unknown) => {
      throw isClosed() ? closed() : error;
    });
    // Closed or aborted meanwhile: nothing else would revoke this token.
    if (isClosed() || signal.aborted) {
      await this.#track(revokeToken(client, login, this.#shutdown.timeoutMs));
      throw closed();
    }
    this.#adopt(login);
  }

  async #track<T>(request: Promise<T>): Promise<T> {
    this.#loginRequests.add(request);
    try {
      return await request;
    } finally {
      this.#loginRequests.delete(request);
    }
  }

  /** Resolves when no request of a login is under way, nor follows at once from one that was. Never rejects. */
  async #loginRequestsEnded(): Promise<void> {
    do {
      await Promise.allSettled(this.#loginRequests);
      await turn();
    } while (this.#loginRequests.size > 0);
  }

  #adopt(login: Login): void {
    const before = this.#token;
    const remainingMs = before?.remainingMs ?? 0;
    const isPlanned = before?.isValid === true && this.#condition === 'healthy';
    let token = before;
    if (token && token.login.token === login.token) {
      token.update(login, momentOf(this.#clock));
    } else {
      token = new SessionToken(login, this.#clock);
      this.#token = token;
      if (before && this.#shutdown.revoke) this.#replaced.add(before);
    }
    if (this.#started) this.#watch();
    // The same token with no more life than before changes nothing.
    if (token !== before || token.remainingMs > remainingMs) {
      this.#transition('healthy');
      this.#plan(token, isPlanned);
    }
    const at = new Date(this.#clock.now());
    const { accessor, policies } = login;
    const { method } = this.#method;
    this.#emit({ type: 'login', at, method, accessor, policies, expiresAt: token.expiresAt, again: !!before });
  }

  #loginFailed(error: unknown): void {
    if (this.#phase === 'closed') return;
    const failure = this.#noteFailure(error);
    this.#emit({ type: 'login-failed', method: this.#method.method, ...failure });
    const isValid = this.#token?.isValid === true;
    // A login that was not needed changes nothing else.
    if (this.#phase !== 'open' || (isValid && !this.#isWorking && this.#condition === 'healthy')) return;
    const delayMs = this.#loginBackoff.next();
    this.#transition(isValid ? 'recovering' : 'lost', failure.reason);
    this.#planStep(isValid ? Math.min(delayMs, this.#token?.remainingMs ?? 0) : delayMs);
  }

  // --- Background work

  #watch(): void {
    this.#unwatch ??= this.#method.watch?.(() => this.#replaceInBackground());
  }

  /** Plans the next step of a token that has just been granted a life. @param isPlanned see `renewalDelayMs` */
  #plan(token: SessionToken, isPlanned: boolean): void {
    this.#failedRenewals = 0;
    this.#isLoginNext = false;
    this.#loginBackoff.reset();
    // A token without an end needs no timer.
    if (token.ttlMs === Infinity) this.#cancelStep?.();
    else this.#planStep(renewalDelayMs(token.remainingMs, this.#random(), isPlanned));
  }

  #planStep(delayMs: number): void {
    this.#cancelStep?.();
    if (!this.#started || this.#phase === 'closed') return;
    this.#cancelStep = this.#clock.setTimer(delayMs, () => void this.#work(() => this.#nextStep()));
  }

  #replaceInBackground(): void {
    void this.#work(() => this.#replace());
  }

  async #work(step: () => Promise<void>): Promise<void> {
    if (this.#isWorking || this.#phase === 'closed') return;
    this.#isWorking = true;
    try {
      await step();
    } catch {
      // The step that failed has planned the next one.
    } finally {
      this.#isWorking = false;
    }
  }

  async #nextStep(): Promise<void> {
    const token = this.#token;
    if (!token?.isValid || token.final) return this.#replace();
    // When renewals fail and little life is left, a login and a renewal are attempted in turn.
    this.#isLoginNext = this.#failedRenewals > 0 && token.isOverdue && !this.#isLoginNext;
    if (!this.#isLoginNext) return this.#renew(token);
    // Not awaited: a login may hang, and the server may renew the token meanwhile.
    this.#planStep(renewalRetryMs(token.remainingMs, this.#failedRenewals, this.#random()));
    void this.#replace().catch(() => undefined);
  }

  async #replace(): Promise<void> {
    const before = this.#token;
    const remainingMs = before?.remainingMs ?? 0;
    await this.login();
    const token = this.#token;
    if (this.#phase === 'closed' || !token || token !== before || token.remainingMs > remainingMs) return;
    // The source of a supplied token still contains the same one.
    if (!token.isOverdue) return this.#planStep(renewalDelayMs(token.remainingMs, this.#random(), true));
    const ends = token.expiresAt?.toISOString() ?? 'soon';
    this.#transition(
      'recovering',
      `The token ends at ${ends}, and its source holds no other yet. Put a new one there, or use a login method.`,
    );
    this.#planStep(Math.min(this.#loginBackoff.next(), token.remainingMs));
  }

  async #renew(token: SessionToken): Promise<void> {
    const asOf = momentOf(this.#clock);
    const timeoutMs = Math.max(MIN_RENEWAL_TIMEOUT_MS, Math.min(MAX_RENEWAL_TIMEOUT_MS, token.remainingMs / 2));
    const isOutdated = (): boolean => this.#phase === 'closed' || this.#token !== token;
    try {
      const changes = await renewToken(this.#client, token.login, timeoutMs);
      if (isOutdated()) return;
      // Less than last time: its maximum is near, and renewals do not extend that.
      if (changes.leaseDuration < token.login.leaseDuration) token.final = true;
      if (changes.leaseDuration > 0) token.update(changes, asOf);
      token.accepted = true;
      this.#resetCooldown();
      this.#transition('healthy');
      this.#emit({ type: 'token-renewed', at: new Date(this.#clock.now()), ...publicPart(token) });
      this.#plan(token, true);
    } catch (error) {
      if (isOutdated()) return;
      const failure = this.#noteFailure(error);
      const meaning = classifyRenewalError(error);
      this.#emit({ type: 'renewal-failed', ...publicPart(token), ...failure, final: meaning !== 'transient' });
      if (meaning === 'invalid') {
        this.#invalidate(token, failure.reason);
        await this.#replace();
      } else if (meaning === 'not-renewable') {
        token.final = true;
        this.#plan(token, true);
      } else {
        this.#failedRenewals += 1;
        this.#transition('recovering', failure.reason);
        this.#planStep(renewalRetryMs(token.remainingMs, this.#failedRenewals, this.#random()));
      }
    }
  }
}

function publicPart({ login, expiresAt }: SessionToken): { accessor: string | undefined; expiresAt: Date | undefined } {
  return { accessor: login.accessor, expiresAt };
}

function closed(): VaultClosedError {
  return new VaultClosedError('Cannot log in: the Vault session of this application is closed.');
}

function closedFor(operation: string): VaultClosedError {
  return new VaultClosedError(`Cannot ${operation}: the Vault session of this application is closed.`, { operation });
}

function timedOut(timeoutMs: number): VaultTimeoutError {
  return new VaultTimeoutError(
    `Cannot log in: it has taken more than ${timeoutMs / 1000} s. Check the function that supplies a credential in "auth".`,
    { operation: 'log in' },
  );
}

function aborted(): VaultAbortedError {
  return new VaultAbortedError(
    'Cannot log in: it was given up while it waited for something else than the server. Check the function that supplies a credential in "auth".',
    { operation: 'log in' },
  );
}
