import {
  VaultAbortedError,
  VaultConnectionError,
  VaultSealedError,
  VaultServerError,
  VaultTimeoutError,
} from '../../errors/index.js';
import type { Clock, Moment } from './clock.js';
import { Alarm, momentOf, since } from './clock.js';
import { gapMs } from './renewal-schedule.js';

/** A credential function may never return. */
const LONGEST_LOGIN_MS = 60_000;
/** How long callers may be kept from starting another login. Longer than most of them wait, so they fail at once then. */
const LONGEST_GAP_MS = 30_000;
/** The same while the server is away: it refuses nobody, and may be back at any moment. */
const LONGEST_GAP_AWAY_MS = 5_000;
const AWAY = [VaultConnectionError, VaultSealedError, VaultServerError, VaultTimeoutError];

/**
 * One login at a time, shared by everybody who needs it. The outcome of a login is never kept for those who come later,
 * but a server that has just refused is not asked again by the next caller: see `soon`.
 * @internal
 */
export class LoginFlight {
  #flight: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #successes = 0;
  #strikes = 0;
  #unknownTokens = 0;
  #ended: Moment | undefined;
  #failure: Error | undefined;

  readonly #attempt: (signal: AbortSignal) => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  readonly #clock: Clock;
  readonly #longestMs: number;
  readonly #gap: Alarm;
  #abort: ((reason: Error) => void) | undefined;
  #attempting: Promise<void> | undefined;

  /**
   * @param attempt logs in and takes over the token; the signal ends it, and nobody waits for it any more
   * @param onFailure told once of each login that failed, and not because `signal` ended it
   * @param options `longestMs`: how long a login may take; default: a minute
   */
  constructor(
    attempt: (signal: AbortSignal) => Promise<void>,
    onFailure: (error: unknown) => void,
    { clock, longestMs = LONGEST_LOGIN_MS }: { readonly clock: Clock; readonly longestMs?: number | undefined },
  ) {
    this.#attempt = attempt;
    this.#onFailure = onFailure;
    this.#clock = clock;
    this.#longestMs = longestMs;
    this.#gap = new Alarm(clock);
  }

  /** The login under way. */
  get current(): Promise<void> | undefined {
    return this.#flight;
  }

  /** Milliseconds for which `soon` starts no login. */
  get closedForMs(): number {
    if (!this.#ended) return 0;
    const away = AWAY.some((kind) => this.#failure instanceof kind);
    const longestMs = away ? LONGEST_GAP_AWAY_MS : LONGEST_GAP_MS;
    return Math.max(0, gapMs(this.#strikes, longestMs) - since(this.#ended, this.#clock));
  }

  /** Joins the login under way, or starts one. */
  now(signal?: AbortSignal): Promise<void> {
    this.#flight ??= this.#fly(signal).finally(() => (this.#flight = undefined));
    return this.#flight;
  }

  /**
   * The same for callers, of whom there may be thousands a second. After a login that failed they wait for the next one,
   * 1 s later and after more failures up to 30 s, or 5 s when the server was away; who cannot wait so long gets the failure
   * of the last one.
   */
  async soon(patienceMs: number): Promise<void> {
    if (this.#flight) return this.#flight;
    const closedForMs = this.closedForMs;
    if (closedForMs === 0) return this.now();
    if (closedForMs >= patienceMs && this.#failure !== undefined) throw this.#failure;
    this.#waiting ??= this.#afterGap(closedForMs).finally(() => (this.#waiting = undefined));
    return this.#waiting;
  }

  /** The server takes the token of the last login. */
  worked(): void {
    this.#strikes = 0;
    this.#unknownTokens = 0;
  }

  /** The server does not know the token of the last login, and never took it. Once is no pattern: it may have been revoked. */
  tokenUnknown(): void {
    this.#unknownTokens += 1;
    if (this.#unknownTokens > 1) this.#strikes += 1;
  }

  /** Lets those who wait go on at once, to be told that the session is closed. */
  close(): void {
    this.#gap.cancel();
    this.#wake?.();
  }

  /**
   * Ends the login under way, with that error for those who wait for it.
   *
   * @returns resolves when it has heeded that, which a function of the user's may never do
   */
  async abort(reason: Error): Promise<void> {
    this.#abort?.(reason);
    await this.#attempting?.catch(() => undefined);
  }

  async #afterGap(gap: number): Promise<void> {
    const before = this.#successes;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#gap.set(gap, resolve);
    });
    // Somebody may have logged in without waiting.
    if (this.#successes === before) await this.now();
  }

  async #fly(signal: AbortSignal | undefined): Promise<void> {
    const limit = new AbortController();
    // A function of the user's may heed no signal, so the attempt is not waited for.
    let end!: (reason: Error) => void;
    const ended = new Promise<never>((_, reject) => (end = reject));
    this.#abort = (reason) => {
      end(reason);
      limit.abort();
    };
    const abort = (): void => {
      limit.abort();
      // An attempt that heeds the signal knows better what it was about.
      setImmediate(end, givenUp());
    };
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
    const cancel = this.#clock.setTimer(this.#longestMs, () => this.#abort?.(this.#tooLong()));
    try {
      this.#attempting = this.#attempt(limit.signal);
      await Promise.race([this.#attempting, ended]);
      this.#failure = undefined;
      this.#successes += 1;
    } catch (error) {
      this.#strikes += 1;
      this.#failure = error as Error;
      // One that was given up has not failed.
      if (!signal?.aborted) this.#onFailure(error);
      throw error;
    } finally {
      cancel();
      this.#abort = undefined;
      signal?.removeEventListener('abort', abort);
      this.#ended = momentOf(this.#clock);
    }
  }

  #tooLong(): VaultTimeoutError {
    return new VaultTimeoutError(
      `Cannot log in: it has taken more than ${this.#longestMs / 1000} s. Check the function that supplies a credential in "auth".`,
      { operation: 'log in' },
    );
  }
}

function givenUp(): VaultAbortedError {
  return new VaultAbortedError(
    'Cannot log in: it was given up while it waited for something else than the server. Check the function that supplies a credential in "auth".',
    { operation: 'log in' },
  );
}
