import { VaultAbortedError, VaultTimeoutError } from '../errors/index.js';
import { Consistency } from './consistency.js';
import { Credentials } from './credentials.js';
import type { Endpoint } from './endpoint.js';
import { Endpoints } from './endpoints.js';
import type { RawAnswer } from './exchange.js';
import { Exchange } from './exchange.js';
import { Failure } from './failures/failure.js';
import type { CallContext } from './failures/network-failure.js';
import { beginning, closedFailure, networkFailure } from './failures/network-failure.js';
import type { PreparedRequest } from './prepare-request.js';
import { prepareRequest } from './prepare-request.js';
import { RateLimiter } from './rate-limiter.js';
import { readAnswer } from './read-answer.js';
import { isRedirect, redirectForbidden, redirectTarget } from './redirect.js';
import { backoffMs, isRepeatable, judgeFailure, roundMs } from './retry-policy.js';
import type { TransportOptions } from './transport.options.js';
import { shortReason, Tries } from './tries.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';
import { Waits } from './waits.js';

/** Vault's own limit for a request; no honest answer is larger. */
const MAX_BYTES = 32 * 1024 * 1024;
/** The status for a state that a server of Vault does not have yet. */
const STALE = 412;
/** Who had less time than this to answer is not to blame for a timeout. */
const FAIR_MS = 250;
/** Reasons of calls that came to nothing before they were sent. */
const NO_SERVER = 'no-server';
const RATE_LIMIT = 'rate-limit';
/** With less time left than this, another try is no help. */
const SHORTEST_TRY_MS = 5;

/**
 * Carries requests to Vault, and turns whatever comes back into an answer or a typed error. It repeats what may be
 * repeated, at the same server or at another one, within the deadline of the call.
 * @internal
 */
export class Transport {
  // Private fields throughout: the connections and the options hold the client's key, which no inspector may find.
  readonly #options: TransportOptions;
  readonly #endpoints: Endpoints;
  readonly #waits: Waits;
  readonly #limiter: RateLimiter | undefined;
  readonly #consistency: Consistency | undefined;
  readonly #credentials = new Credentials();

  private constructor(endpoints: Endpoints, waits: Waits, options: TransportOptions) {
    this.#endpoints = endpoints;
    this.#waits = waits;
    this.#options = options;
    this.#limiter = options.rateLimit && new RateLimiter(options.rateLimit);
    const { consistency = 'off' } = options;
    this.#consistency = consistency === 'off' ? undefined : new Consistency(consistency);
  }

  /** Opens no connection yet. */
  static async create(options: TransportOptions): Promise<Transport> {
    const waits = new Waits();
    return new Transport(await Endpoints.prepare(options, waits), waits, options);
  }

  /** The server in use. */
  get endpoint(): string {
    return this.#endpoints.address;
  }

  /** All configured servers. */
  get endpoints(): readonly string[] {
    return this.#endpoints.addresses;
  }

  /** Makes one call, with as many tries as it may have. Rejects with a `VaultError` and nothing else. */
  async send(request: VaultRequest): Promise<VaultResponse> {
    let call = this.#describe(request);
    const { headers } = this.#options;
    const prepared = prepareRequest(request, request.token ?? undefined, call, headers, this.#credentials);
    if (request.token === null) this.#credentials.addLogin(prepared);
    else if (request.token !== undefined) this.#credentials.addToken(request.token);
    let tries: Tries | undefined;
    let failure: Failure | undefined;
    for (;;) {
      const endpoint = this.#endpoints.take() ?? (await this.#endpoints.find(call.deadline, request.signal, tries));
      this.#checkGoing(request, call, endpoint ? undefined : NO_SERVER);
      if (!endpoint) throw failure?.error ?? this.#nobody(call);
      if (endpoint.address !== call.endpoint) call = { ...call, endpoint: endpoint.address };
      if (this.#limiter) await this.#turn(this.#limiter, request, call);
      const outcome = await this.#try(endpoint, prepared, request, call, this.#shareMs(call, tries));
      if (!(outcome instanceof Failure)) return outcome;
      failure = outcome;
      tries ??= new Tries();
      const waitMs = this.#waitBefore(tries, outcome, request, call);
      if (waitMs === undefined) {
        if (outcome.error.statusCode === STALE) this.#consistency?.forget();
        throw outcome.error;
      }
      this.#report(tries, outcome, waitMs, call);
      if (waitMs > 0) await this.#pause(waitMs, request, call);
      call = { ...call, earlier: tries.toString() };
    }
  }

  /** Closes every connection. Calls still under way fail; later ones are refused. */
  async close(): Promise<void> {
    this.#waits.endAll();
    await this.#endpoints.close();
  }

  /** One try: a request, and at most one redirect. */
  async #try(
    endpoint: Endpoint,
    prepared: PreparedRequest,
    request: VaultRequest,
    call: CallContext,
    shareMs: number | undefined,
    redirected = false,
  ): Promise<VaultResponse | Failure> {
    const askedAt = performance.now();
    const answer = await this.#exchange(endpoint, prepared, request, call, shareMs);
    if (!redirected && !(answer instanceof Failure) && isRedirect(answer)) {
      if (this.#options.redirects === false) throw redirectForbidden(answer, call);
      const target = redirectTarget(answer, prepared, this.#endpoints.addresses, call);
      const other = this.#endpoints.at(target) ?? endpoint;
      const there = { ...call, endpoint: other.address };
      const outcome = await this.#try(other, prepared, request, there, shareMs, true);
      // The server named the active one; while a new one is elected, that may be one that is gone.
      if (!(outcome instanceof Failure) && other !== endpoint) this.#endpoints.adopt(other);
      return outcome;
    }
    const outcome = answer instanceof Failure ? answer : readAnswer(answer, request, prepared, call);
    this.#learn(endpoint, outcome, askedAt);
    return outcome;
  }

  async #exchange(
    { connections }: Endpoint,
    { method, path, headers, body }: PreparedRequest,
    request: VaultRequest,
    call: CallContext,
    shareMs: number | undefined,
  ): Promise<RawAnswer | Failure> {
    const exchange = new Exchange(Math.max(1, call.deadline - performance.now()), MAX_BYTES, request.signal);
    if (shareMs !== undefined) exchange.stallAfter(shareMs, isRepeatable(request));
    try {
      if (!exchange.interrupted) {
        const sent = this.#consistency?.apply(headers) ?? headers;
        connections.dispatch({ method, path, headers: sent, ...(body !== undefined && { body }) }, exchange);
      }
    } catch (error) {
      exchange.fail(error);
    }
    try {
      const answer = await exchange.answer;
      this.#consistency?.record(answer.headers);
      return answer;
    } catch (thrown) {
      if (!exchange.sent) connections.recoverFrom(thrown);
      const error = networkFailure(thrown, call, exchange.sent);
      return new Failure(error, judgeFailure(error, exchange.sent));
    }
  }

  #learn(endpoint: Endpoint, outcome: VaultResponse | Failure, askedAt: number): void {
    if (!(outcome instanceof Failure)) return this.#endpoints.worked(endpoint);
    if (outcome.error.code === 'VAULT_TIMEOUT' && performance.now() - askedAt < FAIR_MS) return;
    if (outcome.verdict?.serverFault)
      this.#endpoints.failed(endpoint, outcome.verdict.final, shortReason(outcome.error), askedAt);
    else if (outcome.error.statusCode !== undefined) this.#endpoints.worked(endpoint);
  }

  /** How long one of several servers may take before another one is asked: there must be time left for it. */
  #shareMs({ deadline }: CallContext, tries: Tries | undefined): number | undefined {
    const { size } = this.#endpoints;
    if (size === 1) return undefined;
    const shareMs = (deadline - performance.now()) / Math.max(2, size - (tries?.endpoints ?? 0));
    return shareMs < FAIR_MS ? undefined : shareMs;
  }

  /** In how many milliseconds the call may be tried again; `undefined` when it has failed for good. */
  #waitBefore(tries: Tries, { verdict }: Failure, request: VaultRequest, call: CallContext): number | undefined {
    const leftMs = call.deadline - performance.now();
    if (!verdict || leftMs < SHORTEST_TRY_MS || !(verdict.untouched || isRepeatable(request))) return undefined;
    const retries = request.retries ?? this.#options.retries ?? 0;
    const { size, hopeless } = this.#endpoints;
    if (size > 1 && verdict.serverFault) {
      // Another server is another chance, and counts as no repetition. Once all were asked there is a wait.
      const round = tries.count + 1 - size;
      if (round < 0) return 0;
      return retries > 0 && !hopeless ? Math.min(roundMs(round), leftMs / 2) : undefined;
    }
    if (verdict.final || tries.repetitions >= retries) return undefined;
    tries.repetitions += 1;
    // Nobody is made to wait for a moment the deadline does not let them see.
    if (verdict.retryAfterMs !== undefined) return verdict.retryAfterMs < leftMs ? verdict.retryAfterMs : undefined;
    return Math.min(backoffMs(tries.repetitions), leftMs / 2);
  }

  #report(tries: Tries, { error }: Failure, waitMs: number, { operation }: CallContext): void {
    const { statusCode, endpoint = this.endpoint } = error;
    const reason = tries.add(endpoint, error);
    this.#options.onRetry?.({ operation, endpoint, attempt: tries.count, statusCode, reason, waitMs, error });
  }

  /** Waits until the rate limit lets one more request go. */
  async #turn(limiter: RateLimiter, request: VaultRequest, call: CallContext): Promise<void> {
    const waitMs = limiter.take(call.deadline - performance.now());
    if (waitMs === undefined) {
      throw new VaultTimeoutError(
        `${beginning(call)}: "request.rateLimit" (VAULT_RATE_LIMIT) leaves no turn within ${call.timeoutMs} ms. Raise it, or send less.`,
        { ...call, reason: RATE_LIMIT },
      );
    }
    if (waitMs === 0) return;
    try {
      await this.#pause(waitMs, request, call, RATE_LIMIT);
    } catch (error) {
      limiter.giveBack();
      throw error;
    }
  }

  async #pause(ms: number, request: VaultRequest, call: CallContext, reason?: string): Promise<void> {
    await this.#waits.wait(ms, request.signal);
    this.#checkGoing(request, call, reason);
  }

  #checkGoing({ signal }: VaultRequest, call: CallContext, reason?: string): void {
    if (this.#waits.over) throw closedFailure(call);
    if (!signal?.aborted) return;
    if (reason !== NO_SERVER)
      throw new VaultAbortedError(`${beginning(call)}: the caller aborted it.`, { ...call, reason });
    throw new VaultAbortedError(`Cannot ${call.operation}: the caller aborted it. ${this.#noServer()}`, {
      ...call,
      endpoint: undefined,
      reason,
    });
  }

  #nobody(call: CallContext): VaultTimeoutError {
    return new VaultTimeoutError(`Cannot ${call.operation} within ${call.timeoutMs} ms: ${this.#noServer()}`, {
      ...call,
      endpoint: undefined,
      reason: NO_SERVER,
    });
  }

  #noServer(): string {
    return `none of ${this.#endpoints.describe()} was fit to be asked. Check the health of the servers and the addresses in "endpoint".`;
  }

  #describe(request: VaultRequest): CallContext {
    const timeoutMs = request.timeoutMs ?? this.#options.timeoutMs;
    return {
      path: request.path,
      namespace: request.namespace ?? this.#options.namespace,
      operation: request.operation ?? `${request.method} ${request.path}`,
      endpoint: this.#endpoints.address,
      timeoutMs,
      // What is no number is refused with the rest of the call.
      deadline: performance.now() + (typeof timeoutMs === 'number' ? timeoutMs : 0),
      connectTimeoutMs: this.#options.connectTimeoutMs,
      proxy: this.#options.proxy !== undefined,
      maxBytes: MAX_BYTES,
      earlier: '',
    };
  }
}
