import type { TokenSource } from '../../client/token-source.js';
import { within } from '../../client/within.js';
import type { VaultClient } from '../../client/vault-client.js';
import { VaultClosedError } from '../../errors/index.js';
import { factsOfFailure } from '../../observability/facts-of-failure.js';
import type { VaultEvent } from '../../observability/vault-event.js';
import type { Clock } from './clock.js';
import { systemClock } from './clock.js';
import { HeldToken } from './held-token.js';
import { LoginCalls } from './login-calls.js';
import { LoginFlight } from './login-flight.js';
import type { Login, LoginMethod } from '../login-method.js';
import { RetiredTokens } from './retired-tokens.js';
import type { VaultSessionState } from './session-status.js';
import { SessionStatus } from './session-status.js';
import { TokenLender } from './token-lender.js';
import { TokenUpkeep } from './token-upkeep.js';

export type { VaultSessionState } from './session-status.js';

/** How long a login that is ended may take to close what it has opened, before it is left behind. */
const LEAVE_MS = 100;

/** What a session needs to know. @internal */
export interface SessionOptions {
  /** The client of this session. It asks the session for its tokens, so it is made later; nothing needs it before. */
  readonly client: () => VaultClient;
  /** Whether tokens this module obtained are revoked, and how long that may take on close. */
  readonly shutdown: { readonly revoke: boolean; readonly timeoutMs: number };
  /** Takes the session's events; must not throw. */
  readonly emit?: (event: VaultEvent) => void;
  readonly clock?: Clock;
  /** 0 to below 1. */
  readonly random?: () => number;
  /** How long a replaced token lives on, in milliseconds. Default: 30 000. */
  readonly graceMs?: number;
}

/**
 * The module's identity at the server: logs in, keeps the token alive, replaces it, gives it back.
 *
 * It looks after itself: nothing here has to be called, and nothing that happens to the server or the network ends the
 * application.
 * @publicApi
 */
export class VaultSession {
  // Private fields, so that no logger or inspector finds the token.
  #current: HeldToken | undefined;
  #unwatch: (() => void) | undefined;
  #started = false;

  readonly #client: () => VaultClient;
  readonly #method: LoginMethod;
  readonly #shutdown: SessionOptions['shutdown'];
  readonly #clock: Clock;
  readonly #emit: (event: VaultEvent) => void;
  readonly #status: SessionStatus;
  readonly #flight: LoginFlight;
  readonly #calls = new LoginCalls();
  readonly #retired: RetiredTokens;
  readonly #upkeep: TokenUpkeep;
  readonly #lender: TokenLender;

  /** @internal */
  constructor(method: LoginMethod, options: SessionOptions) {
    const { client, shutdown, emit = () => undefined, clock = systemClock, random = Math.random, graceMs } = options;
    this.#client = client;
    this.#method = method;
    this.#shutdown = shutdown;
    this.#clock = clock;
    this.#emit = emit;
    const token = (): HeldToken | undefined => this.#current;
    const status = new SessionStatus(clock, emit);
    const flight = new LoginFlight(
      (signal) => this.#logIn(signal),
      (error) => this.#loginFailed(error),
      { clock, longestMs: method.loginTimeoutMs },
    );
    this.#status = status;
    this.#flight = flight;
    this.#retired = new RetiredTokens(client, clock, graceMs);
    this.#upkeep = new TokenUpkeep({ client, token, flight, status, emit, clock, random });
    const closed = (): boolean => status.closed;
    this.#lender = new TokenLender({ client, token, closed, flight, upkeep: this.#upkeep, clock });
  }

  get state(): VaultSessionState {
    return this.#status.state(this.#current !== undefined && this.#current.remainingMs > 0);
  }

  /** Accessor of the token: names it in Vault's audit log without being a secret. Batch tokens have none. */
  get accessor(): string | undefined {
    return this.#current?.login.accessor;
  }

  /** Policies attached to the token. */
  get policies(): readonly string[] {
    return this.#current?.login.policies ?? [];
  }

  /** When the token ends, by this machine's clock; later after each renewal. `undefined` when it never does. */
  get expiresAt(): Date | undefined {
    return this.#current?.expiresAt;
  }

  /** Where calls get their token; not a property, so that nobody comes across it. @internal */
  static tokensOf(session: VaultSession): TokenSource {
    return session.#lender;
  }

  /** The login in use, with its token. @internal */
  static loginOf(session: VaultSession): Login | undefined {
    return session.#current?.login;
  }

  /**
   * Keeps the current token from being revoked after it was replaced, for the sake of leases made with it: they end
   * together. Shutdown revokes it all the same.
   *
   * @returns ends that
   * @internal
   */
  static hold(session: VaultSession): () => void {
    return session.#lender.hold();
  }

  /** Logs in for the first time. The signal ends the login, and nothing after it. @internal */
  open(signal?: AbortSignal): Promise<void> {
    return this.#flight.now(signal);
  }

  /**
   * Begins to look after the token. Until then nothing goes on in the background, so that an application whose boot
   * failed somewhere else leaves nothing that renews for ever; a call that finds the token ended logs in all the same.
   * @internal
   */
  start(): void {
    if (this.#started || this.#status.closed) return;
    this.#started = true;
    if (this.#current) this.#watch();
    this.#upkeep.start();
  }

  /**
   * Logs in again. Callers that ask at the same time share one login; a failed one is not remembered, and leaves the
   * session as it was.
   *
   * The token that is replaced is revoked 30 s later, and not before calls under way with it have ended, when this module
   * obtained it; leases made with it end then. Not so with `shutdown.revoke: false`.
   *
   * @throws VaultAuthenticationError when the server refuses
   */
  relogin(): Promise<void> {
    return this.#flight.now();
  }

  /**
   * Gives the token back: revokes it when this module obtained it, never when the user supplied it. So it does with
   * tokens replaced a short while ago, and with that of a login the server works on. A login that waits for something
   * else, such as a function that supplies a credential, is left behind; should that function come back with a token, it
   * expires by itself. Never throws, and takes no longer than `shutdown.timeoutMs`; a server that cannot be reached lets
   * the token expire by itself.
   * @internal
   */
  async close(): Promise<void> {
    if (this.#status.closed) return;
    this.#status.close();
    this.#unwatch?.();
    this.#upkeep.stop();
    const { revoke, timeoutMs } = this.#shutdown;
    const current = this.#current;
    this.#current = undefined;
    this.#flight.close();
    if (!revoke) this.#retired.forget();
    const login = this.#calls.over().then(() => within(LEAVE_MS, this.#flight.abort(closed())));
    await within(timeoutMs, Promise.allSettled([revoke && this.#retired.revokeAll(current, timeoutMs), login]));
    void this.#flight.abort(closed());
    this.#status.gone();
  }

  async #logIn(signal: AbortSignal): Promise<void> {
    if (this.#status.closed) throw closed();
    const login = await this.#method
      .login(this.#client().watched(this.#calls.during), signal)
      .catch((error: unknown) => {
        throw this.#status.closed ? closed() : error;
      });
    // Closed or given up while the login was under way: nobody would ever give this token back.
    if (this.#status.closed || signal.aborted) {
      await this.#calls.during(this.#retired.revoke(login, this.#shutdown.timeoutMs));
      throw closed();
    }
    this.#adopt(login);
  }

  #adopt(login: Login): void {
    const before = this.#current;
    const again = before !== undefined;
    const remainingMs = before?.remainingMs ?? 0;
    const planned = before?.usable === true && !this.#status.inTrouble;
    let held = before;
    if (held && held.login.token === login.token) {
      held.update(login, { wall: this.#clock.now(), monotonic: this.#clock.monotonic() });
    } else {
      held = new HeldToken(login, this.#clock);
      this.#current = held;
      if (before && this.#shutdown.revoke) this.#retired.add(before);
    }
    const { accessor, policies } = login;
    const { method } = this.#method;
    const at = new Date(this.#clock.now());
    if (this.#started) this.#watch();
    // The same token, with no more life than it had, changes nothing.
    if (held !== before || held.remainingMs > remainingMs) {
      this.#status.fine();
      this.#upkeep.plan(held, planned);
    }
    this.#emit({ type: 'login', at, method, accessor, policies, expiresAt: held.expiresAt, again });
  }

  #watch(): void {
    this.#unwatch ??= this.#method.watch?.(() => this.#upkeep.replaceSoon());
  }

  #loginFailed(error: unknown): void {
    if (this.#status.closed) return;
    const at = new Date(this.#clock.now());
    this.#emit({ type: 'login-failed', at, method: this.#method.method, ...factsOfFailure(error) });
    this.#upkeep.loginFailed(error);
  }
}

function closed(): VaultClosedError {
  return new VaultClosedError('Cannot log in: the Vault session of this application is closed.');
}
