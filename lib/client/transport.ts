import type { VaultErrorDetails } from '../errors/index.js';
import { VaultBadResponseError } from '../errors/index.js';
import { redact } from '../errors/redact.js';
import { Connections } from './connections.js';
import type { RawAnswer } from './exchange.js';
import { Exchange } from './exchange.js';
import type { CallContext } from './network-failure.js';
import { closedFailure, networkFailure } from './network-failure.js';
import type { PreparedRequest } from './prepare-request.js';
import { prepareRequest, secretsSent } from './prepare-request.js';
import { notJson, statusFailure } from './status-failure.js';
import type { TransportOptions } from './transport.options.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';

/** Vault's own limit for a request; no honest answer is larger. */
const MAX_BYTES = 32 * 1024 * 1024;
const REDIRECTS: readonly number[] = [301, 302, 307, 308];

/**
 * Carries requests to Vault, and turns whatever comes back into an answer or a typed error. It follows at most one
 * redirect, and only to its own endpoint.
 * @internal
 */
export class Transport {
  // Private fields throughout: the connections and the options hold the client's key, which no inspector may find.
  readonly #options: TransportOptions;
  readonly #sessionToken: () => string | undefined;
  #connections: Connections | undefined;

  private constructor(connections: Connections, options: TransportOptions, sessionToken: () => string | undefined) {
    this.#connections = connections;
    this.#options = options;
    this.#sessionToken = sessionToken;
  }

  /** Opens no connection yet. `sessionToken` is asked at every call that does not bring a token of its own. */
  static async create(options: TransportOptions, sessionToken: () => string | undefined): Promise<Transport> {
    return new Transport(await Connections.prepare(options), options, sessionToken);
  }

  get endpoint(): string {
    return this.#options.endpoint;
  }

  /** Sends one request. Rejects with a `VaultError` and nothing else. */
  async send(request: VaultRequest): Promise<VaultResponse> {
    const call = this.#describe(request);
    const token = request.token === undefined ? this.#sessionToken() : (request.token ?? undefined);
    const { headers } = this.#options;
    const prepared = prepareRequest({ ...request, headers: { ...headers, ...request.headers } }, token, call);
    const deadline = performance.now() + call.timeoutMs;
    let answer = await this.#exchange(prepared, request.signal, call.timeoutMs, call);
    if (REDIRECTS.includes(answer.status)) {
      const redirected = { ...prepared, path: this.#redirectTarget(answer, prepared, call) };
      const timeLeftMs = Math.max(1, deadline - performance.now());
      answer = await this.#exchange(redirected, request.signal, timeLeftMs, call);
    }
    return this.#read(answer, request, prepared, call);
  }

  /** Closes every connection. Calls still under way fail; later ones are refused. */
  async close(): Promise<void> {
    const connections = this.#connections;
    this.#connections = undefined;
    await connections?.close();
  }

  async #exchange(
    { method, path, headers, body }: PreparedRequest,
    signal: AbortSignal | undefined,
    timeoutMs: number,
    call: CallContext,
  ): Promise<RawAnswer> {
    if (!this.#connections) throw closedFailure(call);
    const exchange = new Exchange(timeoutMs, MAX_BYTES, signal);
    try {
      if (!exchange.interrupted) {
        this.#connections.dispatch({ method, path, headers, ...(body !== undefined && { body }) }, exchange);
      }
    } catch (error) {
      exchange.fail(error);
    }
    try {
      return await exchange.answer;
    } catch (error) {
      throw networkFailure(error, call);
    }
  }

  /** A redirect is followed to the configured endpoint only: the token goes nowhere else. */
  #redirectTarget(answer: RawAnswer, prepared: PreparedRequest, call: CallContext): string {
    if (this.#options.redirects === false) {
      throw new VaultBadResponseError(
        `Cannot ${call.operation} at ${call.endpoint}: it redirects (status ${answer.status}), and "request.redirects" (VAULT_DISABLE_REDIRECTS) ` +
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
      `Cannot ${call.operation} at ${call.endpoint}: it redirects to ${elsewhere}, which is not the configured endpoint, ` +
        'so the token was not sent there. Point "endpoint" (VAULT_ADDR) at the active server or at a load balancer that finds it.',
      { ...call, statusCode: answer.status },
    );
  }

  #read(answer: RawAnswer, request: VaultRequest, prepared: PreparedRequest, call: CallContext): VaultResponse {
    const { status, headers, text } = answer;
    const wanted = (status >= 200 && status < 300) || request.accept?.includes(status) === true;
    const body = /json/i.test(headers['content-type'] ?? '') ? parse(text) : undefined;
    const foreign = text !== '' && body === undefined;
    if (wanted && !foreign) return { status, headers, body };
    const secrets = secretsSent(prepared);
    // A proxy may answer these in words of its own, and the status alone says enough.
    const plain = !wanted && (status >= 500 || status === 429);
    throw foreign && !plain
      ? notJson(answer, secrets, call)
      : statusFailure({ status, headers, body }, request, secrets, call);
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
