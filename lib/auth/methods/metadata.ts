import type { RawResponse } from '../../client/exchange.js';
import { ExchangeInterrupted, RawExchange } from '../../client/exchange.js';
import { interop } from '../../options/optional-package.js';
import { VaultAbortedError, VaultAuthenticationError, VaultInvalidOptionError } from '../../errors/index.js';
import { backoffMs } from '../../lifetime/backoff.js';
import { sleep } from '../../lifetime/race.js';
import { redact } from '../../errors/redact.js';

/** Metadata services are link-local: one that exists accepts connections at once, but may take longer to issue a token. */
const CONNECT_TIMEOUT_MS = 1_000;
const TIMEOUT_MS = 5_000;
const MAX_RESPONSE_BYTES = 64 * 1024;
/** Services may be busy or not ready yet when a machine or pod starts. */
const MAX_ATTEMPTS = 3;
const RETRY_BACKOFF = { firstMs: 250, factor: 4, maxMs: 1_000 };

type Outcome = RawResponse | { readonly failure: unknown };

/** A request to a metadata or token service of a cloud. @internal */
export interface MetadataRequest {
  /** What the request does, for errors, such as `get an identity token`. */
  readonly operation: string;
  /** Name of the service, for errors, such as `the EC2 instance metadata service`. */
  readonly service: string;
  readonly url: URL;
  /** Default: `GET`. */
  readonly method?: 'GET' | 'PUT' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Advice when the service cannot be reached. */
  readonly unreachableAdvice: string;
  /** Advice when the service rejects the request. */
  readonly rejectedAdvice: string;
  /** Values sent with the request, to redact in errors. */
  readonly secrets?: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/**
 * Sends a request to a metadata or token service on a new connection, without proxy and redirects: at most three attempts of
 * 5 s each, and a response of at most 64 KiB. The response has status 200 and a body.
 *
 * @throws VaultAuthenticationError with `reason: 'metadata-unreachable'` or a status code
 * @throws VaultAbortedError if the signal aborts
 * @internal
 */
export async function requestMetadata(request: MetadataRequest): Promise<RawResponse> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await sendOnce(request);
    if (attempt === MAX_ATTEMPTS || !isTransient(outcome)) return assertUsable(outcome, request);
    await sleep(backoffMs(attempt, RETRY_BACKOFF), { signal: request.signal });
    if (request.signal?.aborted) throw aborted(request);
  }
}

/** Parses the JSON object in a response. @throws VaultAuthenticationError if there is none @internal */
export function readObject({ text }: RawResponse, request: MetadataRequest): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // The parser's message quotes the text.
  }
  throw unexpectedResponse(request, 'it is not JSON');
}

/** Reads a required string of that object. @throws VaultAuthenticationError if it is missing @internal */
export function readField(object: Readonly<Record<string, unknown>>, field: string, request: MetadataRequest): string {
  const value = object[field];
  if (typeof value === 'string' && value !== '') return value;
  throw unexpectedResponse(request, `it has no "${field}"`);
}

async function sendOnce({ url, method = 'GET', headers, body, signal }: MetadataRequest): Promise<Outcome> {
  const { Client } = interop(await import('undici'), 'Client');
  const client = new Client(url.origin, {
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const exchange = new RawExchange({ timeoutMs: TIMEOUT_MS, maxBytes: MAX_RESPONSE_BYTES, signal });
  try {
    return await exchange.send(client, { method, path: url.pathname + url.search, headers, body: body ?? null });
  } finally {
    await client.destroy();
  }
}

/** Whether to retry. An unreachable service is not retried: it does not exist here. */
function isTransient(outcome: Outcome): boolean {
  if ('failure' in outcome) return ['ECONNREFUSED', 'ECONNRESET'].includes(codeOf(outcome.failure));
  return outcome.status === 410 || outcome.status === 429 || outcome.status >= 500;
}

function assertUsable(outcome: Outcome, request: MetadataRequest): RawResponse {
  const { operation, service, url } = request;
  const where = `Cannot ${operation} from ${service} at ${url.origin}`;
  const details = { operation, endpoint: url.origin };
  if ('failure' in outcome) {
    const { failure } = outcome;
    const fault = failure instanceof ExchangeInterrupted ? failure.fault : undefined;
    if (fault === 'aborted') throw aborted(request);
    if (fault === 'too-large') throw unexpectedResponse(request, `it is larger than ${MAX_RESPONSE_BYTES} bytes`);
    const reason = fault === 'deadline' ? `no complete response within ${TIMEOUT_MS} ms` : codeOf(failure);
    throw new VaultAuthenticationError(`${where}: ${reason}. ${request.unreachableAdvice}`, {
      ...details,
      reason: 'metadata-unreachable',
    });
  }
  if (outcome.status === 200 && outcome.text.trim() !== '') return outcome;
  if (outcome.status === 200) throw unexpectedResponse(request, 'it is empty');
  const said = serverMessage(outcome.text, request.secrets ?? []);
  throw new VaultAuthenticationError(
    `${where}: it responded with status ${outcome.status}${said === '' ? '' : ` (${said})`}. ${request.rejectedAdvice}`,
    { ...details, statusCode: outcome.status },
  );
}

function codeOf(failure: unknown): string {
  const { code, errors } = Object(failure) as { code?: unknown; errors?: readonly { code?: unknown }[] };
  const found = code ?? errors?.[0]?.code;
  if (found === 'UND_ERR_CONNECT_TIMEOUT') return `no connection within ${CONNECT_TIMEOUT_MS} ms`;
  return typeof found === 'string' && found !== '' ? found : 'the connection failed';
}

function aborted({ operation, service }: MetadataRequest): VaultAbortedError {
  return new VaultAbortedError(`Cannot ${operation} from ${service}: the caller aborted it.`, { operation });
}

function unexpectedResponse(
  { operation, service, url, unreachableAdvice }: MetadataRequest,
  why: string,
): VaultAuthenticationError {
  return new VaultAuthenticationError(
    `Cannot ${operation} from ${service} at ${url.origin}: something else responded there: ${why}. ${unreachableAdvice}`,
    { operation, endpoint: url.origin },
  );
}

/** The error message in a response, with the secrets of the request redacted. */
function serverMessage(text: string, secrets: readonly string[]): string {
  try {
    const { error, error_description: description, message } = JSON.parse(text) as Record<string, unknown>;
    const inner = (error as { message?: unknown } | null | undefined)?.message;
    const said = [description, inner, message, error].find((value) => typeof value === 'string');
    return typeof said === 'string' ? redact(said, secrets) : '';
  } catch {
    return '';
  }
}

/**
 * Parses the address of a service. It is not quoted in errors, because it may contain a password.
 *
 * @param what the option or environment variable it comes from
 * @throws VaultInvalidOptionError
 * @internal
 */
export function parseAddress(value: string, what: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.host !== '' && url.username === '' && url.password === '')
    return url;
  throw new VaultInvalidOptionError(
    `${what} is not an address such as "http://169.254.169.254": scheme, host and port, without user name and password.`,
  );
}

/** Joins an address, a path and query parameters, omitting those that are `undefined`. @internal */
export function joinUrl(address: URL, path: string, query: Readonly<Record<string, string | undefined>> = {}): URL {
  const url = new URL(address.href.replace(/[?#].*$/, '').replace(/\/+$/, '') + path);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  return url;
}
