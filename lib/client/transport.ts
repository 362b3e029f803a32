import type { Pool } from 'undici';
import type { VaultErrorDetails } from '../errors/index.js';
import { VaultBadResponseError, VaultClosedError } from '../errors/index.js';
import type { RawAnswer } from './exchange.js';
import { Exchange } from './exchange.js';
import type { CallContext } from './network-failure.js';
import { networkFailure } from './network-failure.js';
import { notJson, statusFailure } from './status-failure.js';
import type { TransportOptions } from './transport.options.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';

/** Vault's own limit for a request; no honest answer is larger. */
const MAX_BYTES = 32 * 1024 * 1024;
const KEEP_ALIVE_MS = 60_000;

/**
 * Carries requests to Vault over a pool of kept-alive connections, and turns whatever comes back into an answer or a
 * typed error. It follows at most one redirect, and only to its own endpoint; it uses no proxy.
 * @internal
 */
export class Transport {
  // Private fields throughout: the pool and the options hold the client's key, which no inspector may find.
  readonly #options: TransportOptions;
  readonly #sessionToken: () => string | undefined;
  #pool: Pool | undefined;

  private constructor(pool: Pool, options: TransportOptions, sessionToken: () => string | undefined) {
    this.#pool = pool;
    this.#options = options;
    this.#sessionToken = sessionToken;
  }

  /** Opens no connection yet. `sessionToken` is asked at every call that does not bring a token of its own. */
  static async create(options: TransportOptions, sessionToken: () => string | undefined): Promise<Transport> {
    const undici = await import('undici');
    const { tls } = options;
    const pool = new undici.Pool(options.endpoint, {
      connections: options.maxConnections,
      pipelining: 1,
      // The exchange has one deadline over everything; undici's own would only cut in at other moments.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: {
        timeout: options.connectTimeoutMs,
        minVersion: 'TLSv1.2',
        ...(tls.ca !== undefined && { ca: tls.ca as string }),
        ...(tls.cert !== undefined && { cert: tls.cert }),
        ...(tls.key !== undefined && { key: tls.key }),
        ...(tls.passphrase !== undefined && { passphrase: tls.passphrase }),
        ...(tls.serverName !== undefined && { servername: tls.serverName }),
        ...(tls.rejectUnauthorized !== undefined && { rejectUnauthorized: tls.rejectUnauthorized }),
      },
    });
    return new Transport(pool, options, sessionToken);
  }

  get endpoint(): string {
    return this.#options.endpoint;
  }

  /** Sends one request. Rejects with a `VaultError` and nothing else. */
  async send(request: VaultRequest): Promise<VaultResponse> {
    const token = request.token === undefined ? this.#sessionToken() : (request.token ?? undefined);
    const call = this.#describe(request);
    const path = `/v1/${request.path}${queryString(request.query)}`;
    let answer = await this.#exchange(request, path, token, call);
    if (answer.status === 301 || answer.status === 302 || answer.status === 307 || answer.status === 308) {
      answer = await this.#exchange(request, this.#redirectTarget(answer, path, call), token, call);
    }
    return this.#read(answer, request, token, call);
  }

  /** Closes every connection. Calls still under way fail; later ones are refused. */
  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.destroy();
  }

  async #exchange(
    request: VaultRequest,
    path: string,
    token: string | undefined,
    call: CallContext,
  ): Promise<RawAnswer> {
    if (!this.#pool)
      throw new VaultClosedError(`Cannot ${call.operation}: the Vault session of this application is closed.`, call);
    const exchange = new Exchange(call.timeoutMs, MAX_BYTES, request.signal);
    try {
      if (!exchange.interrupted) {
        this.#pool.dispatch(
          {
            method: request.method,
            path,
            headers: this.#headers(request, token),
            ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
          },
          exchange,
        );
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

  #headers(request: VaultRequest, token: string | undefined): Record<string, string> {
    const headers: Record<string, string> = { 'x-vault-request': 'true', accept: 'application/json' };
    const namespace = request.namespace ?? this.#options.namespace;
    if (token) headers['x-vault-token'] = token;
    if (namespace) headers['x-vault-namespace'] = namespace;
    if (request.wrapTtl !== undefined) headers['x-vault-wrap-ttl'] = String(request.wrapTtl);
    if (request.body !== undefined) {
      headers['content-type'] = request.method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    }
    return headers;
  }

  /** A redirect is followed to the configured endpoint only: the token goes nowhere else. */
  #redirectTarget(answer: RawAnswer, path: string, call: CallContext): string {
    const location = answer.headers['location'] ?? '';
    const target = URL.canParse(location, this.#options.endpoint + path)
      ? new URL(location, this.#options.endpoint + path)
      : undefined;
    if (target?.origin === this.#options.endpoint) return target.pathname + target.search;
    throw new VaultBadResponseError(
      `Cannot ${call.operation} at ${call.endpoint}: it redirects to ${target ? target.origin : 'an invalid address'}, which is not the configured endpoint, ` +
        'so the token was not sent there. Point "endpoint" (VAULT_ADDR) at the active server or at a load balancer that finds it.',
      { ...call, statusCode: answer.status },
    );
  }

  #read(answer: RawAnswer, request: VaultRequest, token: string | undefined, call: CallContext): VaultResponse {
    const { status, headers, text } = answer;
    const wanted = (status >= 200 && status < 300) || request.accept?.includes(status) === true;
    let body: unknown;
    if (text !== '') {
      const contentType = headers['content-type'];
      body = contentType?.includes('json') ? parse(text) : undefined;
      if (body === undefined && (wanted || status < 500)) throw notJson(status, contentType, text, call);
    }
    if (wanted) return { status, headers, body };
    throw statusFailure({ status, headers, body }, request, token, call);
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

function queryString(query: VaultRequest['query']): string {
  if (!query) return '';
  const parts: string[] = [];
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) parts.push(`${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
  }
  return parts.length > 0 ? `?${parts.join('&')}` : '';
}
