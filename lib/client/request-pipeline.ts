import { setMaxListeners } from 'node:events';
import type { VaultError, VaultErrorDetails } from '../errors/index.js';
import {
  isVaultError,
  VaultAbortedError,
  VaultNotFoundError,
  VaultPermissionError,
  VaultTimeoutError,
} from '../errors/index.js';
import type { Clock } from '../lifetime/clock.js';
import { systemClock } from '../lifetime/clock.js';
import { ABORTED, race, TIMED_OUT, Waiters } from '../lifetime/race.js';
import type { VaultTraceContext } from '../observability/channels.js';
import { attemptChannel, requestChannel, trace } from '../observability/channels.js';
import type { AttemptContext } from './attempt.js';
import { Attempt } from './attempt.js';
import { Call } from './call.js';
import type { ClientOptions } from './client-options.js';
import type { Connect } from './connections/connections.js';
import { Consistency } from './consistency.js';
import { Credentials } from './credentials.js';
import type { Endpoint, VaultEndpointStatus } from './endpoints.js';
import { Endpoints } from './endpoints.js';
import { errorPrefix, closedError } from './network-errors.js';
import type { PreparedRequest } from './prepare-request.js';
import { prepareRequest, setToken } from './prepare-request.js';
import { RateLimiter } from './rate-limiter.js';
import type { FailedAttempt } from './retry.js';
import { AttemptFailure, Attempts, isRepeatable, nextDelayMs, shortReason } from './retry.js';
import type { TokenHandle, TokenSource } from './token-source.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';

/** The status for a state that a server does not have yet. */
const STALE = 412;
/** An endpoint that had less time than this is not blamed for a timeout. */
const MIN_BLAMABLE_MS = 250;
/** Reasons of calls that failed before they were sent. */
const NO_SERVER = 'no-server';
const RATE_LIMIT = 'rate-limit';

/** Notified of what the pipeline does between attempts. Its methods must not throw. @internal */
export interface RequestObserver {
  /** An attempt failed, and is followed by another one. */
  onAttemptFailed?(failed: FailedAttempt): void;
  /** Calls go to another endpoint from now on. */
  onEndpointChanged?(endpoint: string): void;
}

/** What sends the requests of a client. @internal */
export interface Pipeline {
  /** Address of the endpoint in use. */
  readonly endpoint: string;
  /** Addresses of all endpoints. */
  readonly endpoints: readonly string[];
  readonly endpointStatus: readonly VaultEndpointStatus[];
  /** Rejects with a `VaultError` and nothing else. */
  send(request: VaultRequest, tokens: TokenSource): Promise<VaultResponse>;
  close(): Promise<void>;
}

/**
 * Sends requests: the one place where a request starts and ends, with its deadline, its token, its attempts and the waits
 * between them. A response or a typed error comes out.
 * @internal
 */
export class RequestPipeline implements Pipeline {
  // Private fields throughout: the connections and the options hold the client's key, which no inspector may find.
  readonly #options: ClientOptions;
  readonly #observer: RequestObserver;
  readonly #clock: Clock;
  readonly #endpoints: Endpoints;
  readonly #limiter: RateLimiter | undefined;
  readonly #attemptContext: AttemptContext;
  readonly #waiters = new Waiters();
  readonly #credentials = new Credentials();

  /** Opens no connection. */
  constructor(options: ClientOptions, connect: Connect, observer: RequestObserver = {}, clock: Clock = systemClock) {
    const { rateLimit, consistency = 'off', redirects = true } = options;
    this.#options = options;
    this.#observer = observer;
    this.#clock = clock;
    this.#endpoints = new Endpoints(options, connect, this.#waiters, clock, (endpoint) =>
      observer.onEndpointChanged?.(endpoint),
    );
    this.#limiter = rateLimit && new RateLimiter(rateLimit);
    this.#attemptContext = {
      endpoints: this.#endpoints,
      consistency: consistency === 'off' ? undefined : new Consistency(consistency),
      redirects,
      clock,
    };
  }

  get endpoint(): string {
    return this.#endpoints.address;
  }

  get endpoints(): readonly string[] {
    return this.#endpoints.addresses;
  }

  get endpointStatus(): readonly VaultEndpointStatus[] {
    return this.#endpoints.status;
  }

  /** @param tokens supplies the token unless the request has one */
  send(request: VaultRequest, tokens: TokenSource): Promise<VaultResponse> {
    const call = new Call(request, this.#options, this.#endpoints.address, this.#clock);
    return requestChannel.hasSubscribers ? this.#traceRequest(call, tokens) : this.#send(call, tokens);
  }

  /** Closes every connection. Calls under way fail; later ones are rejected. */
  async close(): Promise<void> {
    this.#waiters.close();
    await this.#endpoints.close();
  }

  async #send(call: Call, tokens: TokenSource): Promise<VaultResponse> {
    const { request } = call;
    const { signal } = request;
    const prepared = prepareRequest(request, call, this.#options.headers, this.#credentials);
    // Callers share one signal between many calls, and Node.js warns of a leak from the eleventh on.
    if (signal !== undefined && signal instanceof EventTarget) setMaxListeners(0, signal);
    let handle: TokenHandle | undefined;
    let accepted = false;
    try {
      if (request.token === undefined) {
        const acquired = tokens.acquire(call);
        handle = acquired instanceof Promise ? await this.#waitForToken(acquired, call) : acquired;
        this.#setToken(handle.token, prepared, call);
      } else if (request.token === null) this.#credentials.addLogin(prepared);
      else this.#setToken(request.token, prepared, call);
      let mayReplaceToken = handle !== undefined;
      let failure: AttemptFailure | undefined;
      for (;;) {
        const endpoint =
          this.#endpoints.current() ?? (await this.#endpoints.waitForEndpoint(call.deadline, signal, call.attempts));
        this.#assertOpen(call, endpoint ? undefined : NO_SERVER);
        if (!endpoint) throw failure?.error ?? this.#noEndpoint(call);
        call.endpoint = endpoint.address;
        if (this.#limiter) await this.#waitForTurn(this.#limiter, call);
        const attempt = this.#createAttempt(endpoint, call, prepared);
        const outcome = await (attemptChannel.hasSubscribers ? traceAttempt(attempt, call) : attempt.start());
        if (!(outcome instanceof AttemptFailure)) {
          this.#endpoints.markUp(attempt.endpoint);
          if (attempt.endpoint !== endpoint) this.#endpoints.switchTo(attempt.endpoint);
          accepted = true;
          return outcome;
        }
        failure = outcome;
        this.#recordFailure(attempt, outcome);
        const { error } = outcome;
        if (handle && mayReplaceToken && error instanceof VaultPermissionError && !error.policyDenied) {
          mayReplaceToken = false;
          const rejected: TokenHandle = handle;
          handle = undefined;
          rejected.release(false);
          handle = await this.#waitForToken(tokens.replaceRejected(rejected, error, call), call);
          if (!handle) throw error;
          this.#setToken(handle.token, prepared, call);
          continue;
        }
        const waitMs = this.#delayBeforeNext(outcome, call);
        if (waitMs === undefined) {
          if (error.statusCode === STALE) this.#attemptContext.consistency?.forget();
          throw error;
        }
        this.#reportFailure(outcome, waitMs, call);
        if (waitMs > 0) await this.#pause(waitMs, call);
      }
    } catch (error) {
      // The server checks the token before it fails in one of these ways.
      accepted = error instanceof VaultNotFoundError || (error instanceof VaultPermissionError && error.policyDenied);
      throw error;
    } finally {
      handle?.release(accepted);
    }
  }

  #setToken(token: string | undefined, prepared: PreparedRequest, call: Call): void {
    if (token === undefined) return;
    setToken(prepared, token, call);
    this.#credentials.addToken(token);
  }

  #createAttempt(endpoint: Endpoint, call: Call, prepared: PreparedRequest): Attempt {
    call.attempt += 1;
    const attempt = new Attempt(endpoint, call, prepared, this.#attemptContext);
    const { size } = this.#endpoints;
    if (size === 1) return attempt;
    // An endpoint gets a share of the time, so that there is some left for another one.
    const leftMs = call.deadline - attempt.startedAt;
    const shareMs = leftMs / Math.max(2, size - (call.attempts?.endpoints ?? 0));
    if (shareMs >= MIN_BLAMABLE_MS) attempt.failoverAfter(shareMs, isRepeatable(call.request));
    return attempt;
  }

  #recordFailure({ endpoint, startedAt }: Attempt, { error, decision }: AttemptFailure): void {
    if (error.code === 'VAULT_TIMEOUT' && this.#clock.monotonic() - startedAt < MIN_BLAMABLE_MS) return;
    if (decision?.failover) this.#endpoints.markDown(endpoint, decision.permanent, shortReason(error), startedAt);
    else if (error.statusCode !== undefined) this.#endpoints.markUp(endpoint);
  }

  #delayBeforeNext({ decision }: AttemptFailure, call: Call): number | undefined {
    const { request } = call;
    const attempts = (call.attempts ??= new Attempts());
    const retries = request.retries ?? this.#options.retries ?? 0;
    const timeLeftMs = call.deadline - this.#clock.monotonic();
    return nextDelayMs(decision, attempts, request, retries, timeLeftMs, this.#endpoints);
  }

  #reportFailure({ error }: AttemptFailure, waitMs: number, call: Call): void {
    const attempts = (call.attempts ??= new Attempts());
    const { statusCode, endpoint = call.endpoint } = error;
    const reason = attempts.add(endpoint, error);
    call.previousAttempts = attempts.toString();
    const { operation } = call;
    this.#observer.onAttemptFailed?.({
      operation,
      endpoint,
      attempt: attempts.count,
      statusCode,
      reason,
      waitMs,
      error,
    });
  }

  /** The caller's wait for what other callers wait for too: it ends with the call, the work goes on. */
  async #waitForToken<T extends TokenHandle | undefined>(work: Promise<T>, call: Call): Promise<T> {
    const { signal } = call.request;
    const outcome = await race(work, { timeoutMs: call.timeLeftMs, signal, clock: this.#clock });
    if (outcome !== TIMED_OUT && outcome !== ABORTED) return outcome;
    // A handle that comes too late goes straight back.
    work.then(
      (handle) => handle?.release(false),
      () => undefined,
    );
    throw outcome === TIMED_OUT ? noToken(call) : aborted(call);
  }

  /** Waits until the rate limit allows one more request. */
  async #waitForTurn(limiter: RateLimiter, call: Call): Promise<void> {
    const waitMs = limiter.take(call.deadline - this.#clock.monotonic());
    if (waitMs === undefined) throw noTurn(call);
    if (waitMs === 0) return;
    try {
      await this.#pause(waitMs, call, RATE_LIMIT);
    } catch (error) {
      limiter.giveBack();
      throw error;
    }
  }

  async #pause(ms: number, call: Call, reason?: string): Promise<void> {
    await this.#waiters.sleep(ms, { signal: call.request.signal, clock: this.#clock });
    this.#assertOpen(call, reason);
  }

  /** @throws VaultClosedError, VaultAbortedError */
  #assertOpen(call: Call, reason?: string): void {
    if (this.#waiters.closed) throw closedError(call);
    if (!call.request.signal?.aborted) return;
    if (reason !== NO_SERVER) throw aborted(call, reason);
    throw new VaultAbortedError(
      `Cannot ${call.operation}: the caller aborted it. ${this.#noServer()}`,
      withoutEndpoint(call),
    );
  }

  #noEndpoint(call: Call): VaultTimeoutError {
    return new VaultTimeoutError(
      `Cannot ${call.operation} within ${call.timeoutMs} ms: ${this.#noServer()}`,
      withoutEndpoint(call),
    );
  }

  #noServer(): string {
    return `none of ${this.#endpoints.describe()} was fit to be asked. Check the health of the servers and the addresses in "endpoint".`;
  }

  async #traceRequest(call: Call, tokens: TokenSource): Promise<VaultResponse> {
    const context = traceContext(call);
    return trace(requestChannel, context, async () => {
      try {
        const response = await this.#send(call, tokens);
        context.statusCode = response.status;
        return response;
      } catch (error) {
        if (isVaultError(error)) setError(context, error);
        throw error;
      } finally {
        context.attempt = call.attempt;
        context.endpoint = call.endpoint;
      }
    });
  }
}

async function traceAttempt(attempt: Attempt, call: Call): Promise<VaultResponse | AttemptFailure> {
  const context = traceContext(call);
  let failure: AttemptFailure | undefined;
  try {
    return await trace(attemptChannel, context, async () => {
      const outcome = await attempt.start();
      context.endpoint = attempt.endpoint.address;
      if (!(outcome instanceof AttemptFailure)) {
        context.statusCode = outcome.status;
        return outcome;
      }
      failure = outcome;
      setError(context, outcome.error);
      throw outcome.error;
    });
  } catch (error) {
    if (failure) return failure;
    throw error;
  }
}

function traceContext({ operation, path, endpoint, attempt, request: { method } }: Call): VaultTraceContext {
  return { operation, method, path, attempt, endpoint, statusCode: undefined, errorCode: undefined };
}

function setError(context: VaultTraceContext, { code, statusCode }: VaultError): void {
  context.errorCode = code;
  context.statusCode = statusCode;
}

function aborted(call: Call, reason?: string): VaultAbortedError {
  return new VaultAbortedError(`${errorPrefix(call)}: the caller aborted it.`, { ...call, reason });
}

function noToken({ operation, endpoint }: Call): VaultTimeoutError {
  return new VaultTimeoutError(
    `Cannot ${operation} at ${endpoint}: there is no valid token, and no login within the deadline of this call. Check the server's health, or raise "request.timeoutMs".`,
    { operation, endpoint },
  );
}

function noTurn(call: Call): VaultTimeoutError {
  return new VaultTimeoutError(
    `${errorPrefix(call)}: "request.rateLimit" (VAULT_RATE_LIMIT) leaves no turn within ${call.timeoutMs} ms. Raise it, or send less.`,
    { ...call, reason: RATE_LIMIT },
  );
}

function withoutEndpoint(call: Call): VaultErrorDetails {
  return { ...call, endpoint: undefined, reason: NO_SERVER };
}
