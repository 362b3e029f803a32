import type { Dispatcher } from 'undici';
import { isVaultError } from '../errors/index.js';
import type { Clock } from '../lifetime/clock.js';
import type { Call } from './call.js';
import type { Consistency } from './consistency.js';
import type { Endpoint, Endpoints } from './endpoints.js';
import { mayHoldInexactNumber } from './exact-numbers.js';
import type { RawResponse } from './exchange.js';
import { Exchange } from './exchange.js';
import { errorOfFailure } from './network-errors.js';
import { notJson, errorOfResponse } from './response-errors.js';
import type { PreparedRequest } from './prepare-request.js';
import { secretsSent } from './prepare-request.js';
import { isRedirect, redirectForbidden, redirectTarget } from './redirect.js';
import { AMBIGUOUS, AttemptFailure, classifyFailure, classifyResponse } from './retry.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';

/** What the attempts of all calls share. @internal */
export interface AttemptContext {
  readonly endpoints: Endpoints;
  readonly consistency: Consistency | undefined;
  /** Whether one redirect is followed. */
  readonly redirects: boolean;
  readonly clock: Clock;
}

/** One attempt of a call: a request, at most one redirect, and the response as JSON or as a typed error. @internal */
export class Attempt extends Exchange<VaultResponse | AttemptFailure> {
  /** The endpoint that was asked last. */
  endpoint: Endpoint;
  readonly startedAt: number;
  #redirected = false;
  readonly #call: Call;
  readonly #prepared: PreparedRequest;
  readonly #context: AttemptContext;

  constructor(endpoint: Endpoint, call: Call, prepared: PreparedRequest, context: AttemptContext) {
    const { clock } = context;
    const now = clock.monotonic();
    super({
      timeoutMs: Math.max(1, call.deadline - now),
      maxBytes: call.maxBytes,
      signal: call.request.signal,
      clock,
    });
    this.startedAt = now;
    this.endpoint = endpoint;
    this.#call = call;
    this.#prepared = prepared;
    this.#context = context;
  }

  start(): Promise<VaultResponse | AttemptFailure> {
    const { method, path, headers, body } = this.#prepared;
    const { consistency } = this.#context;
    const sent = consistency === undefined ? headers : consistency.apply(headers);
    const options = { method, path, headers: sent, body } as Dispatcher.DispatchOptions;
    return this.send(this.endpoint.connections, options);
  }

  protected override complete(response: RawResponse): VaultResponse | AttemptFailure | undefined {
    const { consistency, endpoints, redirects } = this.#context;
    const call = this.#call;
    consistency?.record(response.headers);
    if (isRedirect(response) && !this.#redirected) {
      if (!redirects) throw redirectForbidden(response, call);
      const target = redirectTarget(response, this.#prepared, endpoints.addresses, call);
      this.#redirected = true;
      this.endpoint = endpoints.at(target) ?? this.endpoint;
      call.endpoint = this.endpoint.address;
      void this.start();
      return undefined;
    }
    return readResponse(response, call.request, this.#prepared, call);
  }

  protected override fail(failure: unknown): AttemptFailure {
    if (isVaultError(failure)) return new AttemptFailure(failure, undefined);
    if (!this.sent) this.endpoint.connections.recoverFrom?.(failure);
    const error = errorOfFailure(failure, this.#call, this.sent);
    return new AttemptFailure(error, classifyFailure(error, this.sent));
  }
}

/** A response as JSON, or the typed error for it. */
function readResponse(
  response: RawResponse,
  request: VaultRequest,
  prepared: PreparedRequest,
  call: Call,
): VaultResponse | AttemptFailure {
  const { status, headers, text } = response;
  const accepted = (status >= 200 && status < 300) || request.accept?.includes(status) === true;
  const json = /json/i.test(headers['content-type'] ?? '');
  const body = json ? parse(text) : undefined;
  const truncated = json && body === undefined && !headers['content-encoding'] && isTruncated(text, status, request);
  const notVault = truncated || (text !== '' && body === undefined);
  if (accepted && !notVault) {
    return { status, headers, body, text: json && mayHoldInexactNumber(text) ? text : undefined };
  }
  const secrets = secretsSent(prepared);
  // A proxy may send these with a body of its own, and the status alone says enough.
  const ignoreBody = !accepted && (status >= 500 || status === 429);
  if (notVault && !ignoreBody) {
    return new AttemptFailure(notJson(response, truncated, secrets, call), truncated ? AMBIGUOUS : undefined);
  }
  const error = errorOfResponse({ status, headers, body }, request, secrets, call);
  return new AttemptFailure(error, classifyResponse(response, error));
}

/** HTTP/2 may deliver half of a response as a whole one: see docs/adr/0013. */
function isTruncated(text: string, status: number, { method }: VaultRequest): boolean {
  // No read has an empty response with status 200.
  return text === '' ? status === 200 && method === 'GET' : isTruncatedJson(text);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const [OPENING_BRACKET, CLOSING_BRACKET, OPENING_BRACE, CLOSING_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Whether a text that is not JSON is the beginning of some: an object or a list that is not closed where the text ends.
 * @internal
 */
export function isTruncatedJson(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (quoted && code === BACKSLASH) index += 1;
    else if (code === QUOTE) quoted = !quoted;
    else if (quoted) continue;
    else if (code === OPENING_BRACKET || code === OPENING_BRACE) depth += 1;
    else if (code === CLOSING_BRACKET || code === CLOSING_BRACE) depth -= 1;
  }
  return depth > 0;
}
