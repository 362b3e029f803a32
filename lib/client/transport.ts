import type { VaultError, VaultErrorDetails } from '../errors/index.js';
import { VaultAbortedError, VaultBadResponseError, VaultTimeoutError } from '../errors/index.js';
import { redact } from '../errors/redact.js';
import { Connections } from './connections.js';
import type { RawAnswer } from './exchange.js';
import { Exchange } from './exchange.js';
import type { CallContext } from './network-failure.js';
import { beginning, closedFailure, networkFailure } from './network-failure.js';
import type { PreparedRequest } from './prepare-request.js';
import { prepareRequest, secretsSent, withToken } from './prepare-request.js';
import { RateLimiter } from './rate-limiter.js';
import type { Verdict } from './retry-policy.js';
import { backoffMs, isRepeatable, judgeAnswer, judgeFailure } from './retry-policy.js';
import { notJson, statusFailure } from './status-failure.js';
import type { TransportOptions } from './transport.options.js';
import { Tries } from './tries.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';
import { Waits } from './waits.js';

/** Vault's own limit for a request; no honest answer is larger. */
const MAX_BYTES = 32 * 1024 * 1024;
const REDIRECTS: readonly number[] = [301, 302, 307, 308];

/** A try that came to nothing. */
class Failure {
  constructor(
    readonly error: VaultError,
    readonly verdict: Verdict | undefined,
  ) {}
}

/**
 * Carries requests to Vault, and turns whatever comes back into an answer or a typed error. It repeats what may be
 * repeated within the deadline of the call. It follows at most one redirect, and only to its own endpoint.
 * @internal
 */
export class Transport {
  // Private fields throughout: the connections and the options hold the client's key, which no inspector may find.
  readonly #options: TransportOptions;
  readonly #sessionToken: () => string | undefined;
  readonly #limiter: RateLimiter | undefined;
  readonly #waits = new Waits();
  #connections: Connections | undefined;

  private constructor(connections: Connections, options: TransportOptions, sessionToken: () => string | undefined) {
    this.#connections = connections;
    this.#options = options;
    this.#sessionToken = sessionToken;
    this.#limiter = options.rateLimit && new RateLimiter(options.rateLimit);
  }

  /** Opens no connection yet. `sessionToken` is asked at every try of a call that does not bring a token of its own. */
  static async create(options: TransportOptions, sessionToken: () => string | undefined): Promise<Transport> {
    return new Transport(await Connections.prepare(options), options, sessionToken);
  }

  get endpoint(): string {
    return this.#options.endpoint;
  }

  /** Makes one call, with as many tries as it may have. Rejects with a `VaultError` and nothing else. */
  async send(request: VaultRequest): Promise<VaultResponse> {
    let call = this.#describe(request);
    let prepared = prepareRequest(request, this.#tokenFor(request), call, this.#options.headers);
    const deadline = performance.now() + call.timeoutMs;
    let tries: Tries | undefined;
    for (;;) {
      if (this.#limiter) await this.#turn(this.#limiter, deadline, request, call);
      const outcome = await this.#try(prepared, request, deadline, call);
      if (!(outcome instanceof Failure)) return outcome;
      tries ??= new Tries();
      const waitMs = this.#waitBefore(tries, outcome, request, deadline - performance.now());
      if (waitMs === undefined) throw outcome.error;
      this.#report(tries, outcome, waitMs, call);
      await this.#pause(waitMs, request.signal, call);
      call = { ...call, earlier: tries.toString() };
      prepared = withToken(prepared, this.#tokenFor(request));
    }
  }

  /** Closes every connection. Calls still under way fail; later ones are refused. */
  async close(): Promise<void> {
    const connections = this.#connections;
    this.#connections = undefined;
    this.#waits.endAll();
    await connections?.close();
  }

  /** Waits until the rate limit lets one more request go. */
  async #turn(limiter: RateLimiter, deadline: number, { signal }: VaultRequest, call: CallContext): Promise<void> {
    const waitMs = limiter.take(deadline - performance.now());
    if (waitMs === undefined) {
      throw new VaultTimeoutError(
        `${beginning(call)}: "request.rateLimit" (VAULT_RATE_LIMIT) leaves no turn within ${call.timeoutMs} ms. Raise it, or send less.`,
        { ...call, reason: 'rate-limit' },
      );
    }
    if (waitMs === 0) return;
    try {
      await this.#pause(waitMs, signal, call);
    } catch (error) {
      limiter.giveBack();
      throw error;
    }
  }

  async #pause(ms: number, signal: AbortSignal | undefined, call: CallContext): Promise<void> {
    await this.#waits.wait(ms, signal);
    if (signal?.aborted) throw new VaultAbortedError(`${beginning(call)}: the caller aborted it.`, call);
    if (!this.#connections) throw closedFailure(call);
  }

  /** In how many milliseconds the call may be tried again; `undefined` when it has failed for good. */
  #waitBefore(tries: Tries, { verdict }: Failure, request: VaultRequest, leftMs: number): number | undefined {
    if (!verdict || verdict.final || !(verdict.untouched || isRepeatable(request))) return undefined;
    if (tries.repetitions >= (request.retries ?? this.#options.retries ?? 0)) return undefined;
    tries.repetitions += 1;
    // Nobody is made to wait for a moment the deadline does not let them see.
    if (verdict.retryAfterMs !== undefined) return verdict.retryAfterMs < leftMs ? verdict.retryAfterMs : undefined;
    return leftMs > 0 ? Math.min(backoffMs(tries.repetitions), leftMs / 2) : undefined;
  }

  #report(tries: Tries, { error }: Failure, waitMs: number, { operation, endpoint }: CallContext): void {
    const reason = tries.add(endpoint, error);
    const { statusCode } = error;
    this.#options.onRetry?.({ operation, endpoint, attempt: tries.count, statusCode, reason, waitMs });
  }

  async #try(
    prepared: PreparedRequest,
    request: VaultRequest,
    deadline: number,
    call: CallContext,
  ): Promise<VaultResponse | Failure> {
    let answer = await this.#exchange(prepared, request.signal, deadline, call);
    if (answer instanceof Failure) return answer;
    if (REDIRECTS.includes(answer.status)) {
      const redirected = { ...prepared, path: this.#redirectTarget(answer, prepared, call) };
      answer = await this.#exchange(redirected, request.signal, deadline, call);
      if (answer instanceof Failure) return answer;
    }
    return this.#read(answer, request, prepared, call);
  }

  async #exchange(
    { method, path, headers, body }: PreparedRequest,
    signal: AbortSignal | undefined,
    deadline: number,
    call: CallContext,
  ): Promise<RawAnswer | Failure> {
    if (!this.#connections) throw closedFailure(call);
    const exchange = new Exchange(Math.max(1, deadline - performance.now()), MAX_BYTES, signal);
    try {
      if (!exchange.interrupted) {
        this.#connections.dispatch({ method, path, headers, ...(body !== undefined && { body }) }, exchange);
      }
    } catch (error) {
      exchange.fail(error);
    }
    try {
      return await exchange.answer;
    } catch (thrown) {
      const error = networkFailure(thrown, call);
      return new Failure(error, judgeFailure(error, exchange.sent));
    }
  }

  /** A redirect is followed to the configured endpoint only: the token goes nowhere else. */
  #redirectTarget(answer: RawAnswer, prepared: PreparedRequest, call: CallContext): string {
    if (this.#options.redirects === false) {
      throw new VaultBadResponseError(
        `${beginning(call)}: it redirects (status ${answer.status}), and "request.redirects" (VAULT_DISABLE_REDIRECTS) ` +
          'forbids to follow. Point "endpoint" (VAULT_ADDR) at the active server.',
        { ...call, statusCode: answer.status },
      );
    }
    const base = this.#options.endpoint + prepared.path;
    const location = answer.headers['location'] ?? '';
    const target = URL.canParse(location, base) ? new URL(location, base) : undefined;
    if (target?.origin === this.#options.endpoint) return target.pathname + target.search;
    const elsewhere = target ? redact(target.origin, secretsSent(prepared)) : 'an invalid address';
    throw new VaultBadResponseError(
      `${beginning(call)}: it redirects to ${elsewhere}, which is not the configured endpoint, ` +
        'so the token was not sent there. Point "endpoint" (VAULT_ADDR) at the active server or at a load balancer that finds it.',
      { ...call, statusCode: answer.status },
    );
  }

  #read(
    answer: RawAnswer,
    request: VaultRequest,
    prepared: PreparedRequest,
    call: CallContext,
  ): VaultResponse | Failure {
    const { status, headers, text } = answer;
    const wanted = (status >= 200 && status < 300) || request.accept?.includes(status) === true;
    const body = /json/i.test(headers['content-type'] ?? '') ? parse(text) : undefined;
    const foreign = text !== '' && body === undefined;
    if (wanted && !foreign) return { status, headers, body };
    const secrets = secretsSent(prepared);
    // A proxy may answer these in words of its own, and the status alone says enough.
    const plain = !wanted && (status >= 500 || status === 429);
    if (foreign && !plain) return new Failure(notJson(answer, secrets, call), undefined);
    const error = statusFailure({ status, headers, body }, request, secrets, call);
    return new Failure(error, judgeAnswer(answer, error));
  }

  #tokenFor({ token }: VaultRequest): string | undefined {
    return token === undefined ? this.#sessionToken() : (token ?? undefined);
  }

  #describe(request: VaultRequest): CallContext {
    const details: VaultErrorDetails = { path: request.path, namespace: request.namespace ?? this.#options.namespace };
    return {
      ...details,
      operation: request.operation ?? `${request.method} ${request.path}`,
      endpoint: this.#options.endpoint,
      timeoutMs: request.timeoutMs ?? this.#options.timeoutMs,
      connectTimeoutMs: this.#options.connectTimeoutMs,
      maxBytes: MAX_BYTES,
      earlier: '',
    };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
