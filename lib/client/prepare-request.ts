import { VaultInvalidOptionError, VaultInvalidPathError } from '../errors/index.js';
import { secretsOfJson } from '../errors/redact.js';
import { MAX_TIMER_MS } from '../lifetime/clock.js';
import { isRecord, namespaceText, describeNumber } from '../options/check-options.js';
import type { Call } from './call.js';
import type { VaultRequest } from './vault-request.js';

/** Headers that hold no secret. Others do: the token, and what a gateway requires. */
const PLAIN_HEADERS: readonly string[] = [
  ...['accept', 'content-type', 'x-vault-namespace', 'x-vault-request', 'x-vault-wrap-ttl'],
];

/** Shorter ones are words such as `Bearer`, and names. */
const MIN_PART_LENGTH = 8;

/** What a request line and a header take (RFC 9110, 5.5); the HTTP client would refuse the rest. */
const SENDABLE_PATH = /^[\x21-\x7e]*$/;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,200}$/i;
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;
/** Headers that describe one connection or the body, and so are not a caller's to set (RFC 9110, 7.6.1). */
const CONNECTION_HEADERS: readonly string[] = [
  ...['connection', 'content-length', 'expect', 'host', 'http2-settings', 'keep-alive', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
];
/** Headers that options of a call fill in. */
const OPTION_OF: Readonly<Record<string, string>> = {
  'x-vault-namespace': 'the Vault namespace',
  'x-vault-token': 'the token',
  'x-vault-wrap-ttl': '"wrapTtl"',
};

/** A request in the form that is sent. @internal */
export interface PreparedRequest {
  readonly method: VaultRequest['method'];
  /** Path and query, below the prefix of the endpoint. */
  readonly path: string;
  readonly headers: Record<string, string>;
  /** The body as JSON text. */
  readonly body: string | undefined;
  /** Further texts that are secret. */
  readonly secrets: readonly string[];
  /** Those of the client's earlier calls. */
  readonly credentials: { readonly all: readonly string[] } | undefined;
}

/**
 * Checks what a caller passes to a single call, and serializes it. The token is set later, by `setToken`.
 *
 * @param defaultHeaders those of every call; the call's own have precedence
 * @throws VaultInvalidOptionError, VaultInvalidPathError naming what cannot be sent, before any request exists
 * @internal
 */
export function prepareRequest(
  request: VaultRequest,
  call: Call,
  defaultHeaders?: VaultRequest['headers'],
  credentials?: PreparedRequest['credentials'],
): PreparedRequest {
  const refuse = (why: string): VaultInvalidOptionError =>
    new VaultInvalidOptionError(`Cannot ${call.operation}: ${why}`, call);
  const { timeoutMs } = call;
  // A timer takes 0, NaN, and more than it can hold for "at once".
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0 && timeoutMs <= MAX_TIMER_MS)) {
    throw refuse(`"timeoutMs" is ${describeNumber(timeoutMs)}; it takes a number above 0 and below 2 147 483 648.`);
  }
  if (request.retries !== undefined && !(Number.isInteger(request.retries) && request.retries >= 0)) {
    throw refuse(`"retries" is ${describeNumber(request.retries)}; it takes a whole number, 0 or more.`);
  }
  // By its method: an AbortSignal of another realm is not an instance of this class.
  if (
    request.signal !== undefined &&
    (typeof (request.signal as Partial<AbortSignal>)?.addEventListener !== 'function' ||
      typeof (request.signal as Partial<AbortSignal>).removeEventListener !== 'function')
  ) {
    throw refuse('"signal" is not an AbortSignal.');
  }
  if (request.namespace !== undefined && namespaceText(request.namespace) !== undefined) {
    throw refuse(`the namespace must be ${namespaceText(request.namespace)}.`);
  }
  // Vault takes nothing, and zero, for a call without wrapping, and would respond with the secret itself.
  if (request.wrapTtl !== undefined && !isDuration(request.wrapTtl)) {
    throw refuse('"wrapTtl" must be a number of seconds above 0, or a duration such as "5m".');
  }
  if (!isQuery(request.query)) {
    throw refuse('"query" must be an object of texts, numbers and booleans.');
  }
  let path: string;
  try {
    path = `/v1/${request.path}${queryString(request.query)}`;
  } catch {
    throw refuse('a query parameter is not valid Unicode.');
  }
  let body: string | undefined;
  try {
    body = request.body === undefined ? undefined : JSON.stringify(request.body);
  } catch {
    // The reason is not repeated: it quotes keys of the data.
    throw refuse('the data cannot be written as JSON. It refers to itself, holds a BigInt, or its toJSON() fails.');
  }
  if (!SENDABLE_PATH.test(path)) {
    throw new VaultInvalidPathError(
      `Cannot ${call.operation}: the path has a character that an address cannot have. Percent-encode it.`,
      call,
    );
  }
  const headers: Record<string, string> = {};
  copyHeaders(defaultHeaders, headers, call);
  copyHeaders(request.headers, headers, call);
  headers['x-vault-request'] = 'true';
  headers['accept'] = 'application/json';
  const { namespace } = call;
  if (namespace !== undefined && namespace !== '') setHeader(headers, 'x-vault-namespace', namespace, call);
  if (request.wrapTtl !== undefined) setHeader(headers, 'x-vault-wrap-ttl', String(request.wrapTtl), call);
  if (body !== undefined) {
    headers['content-type'] = request.method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  }
  return { method: request.method, path, headers, body, secrets: request.secrets ?? [], credentials };
}

/** @throws VaultInvalidOptionError for a token that a header cannot have @internal */
export function setToken({ headers }: PreparedRequest, token: string, call: Call): void {
  if (token !== '') setHeader(headers, 'x-vault-token', token, call);
}

/** Everything secret that went over the wire, with this call and shortly before, so that no error repeats what a server echoes. @internal */
export function secretsSent({ headers, body, secrets, credentials }: PreparedRequest): string[] {
  // From the text, because an object may hold one thing and write another.
  const found = [...secrets, ...(credentials?.all ?? []), ...secretsOfJson(body)];
  for (const [name, value] of Object.entries(headers))
    if (!PLAIN_HEADERS.includes(name)) found.unshift(...partsOf(value));
  return found;
}

/** A header's value, and what may be quoted of it alone: the token after `Bearer`, the value of a cookie, a password. */
function partsOf(header: string): string[] {
  const parts = header.split(/[\s,;="']+/).filter(({ length }) => length >= MIN_PART_LENGTH);
  const basic = /^basic\s+([\w+/-]+=*)$/i.exec(header)?.[1];
  const pair = basic === undefined ? '' : Buffer.from(basic, 'base64').toString('utf8');
  return [header, ...parts, ...(pair === '' ? [] : [pair, pair.slice(pair.indexOf(':') + 1)])];
}

function copyHeaders(from: VaultRequest['headers'], headers: Record<string, string>, call: Call): void {
  for (const name in from) setHeader(headers, name, from[name] as string, call);
}

function setHeader(headers: Record<string, string>, name: string, value: string, call: Call): void {
  const problem = headerProblem(name, value);
  if (problem !== undefined) throw new VaultInvalidOptionError(`Cannot ${call.operation}: ${problem}`, call);
  headers[name] = value;
}

/** Why a header cannot be sent; `undefined` when it can. The value is not repeated: it may be a token. */
function headerProblem(name: string, value: unknown): string | undefined {
  if (Object.hasOwn(OPTION_OF, name) && typeof value === 'string' && HEADER_VALUE.test(value)) return undefined;
  const what = Object.hasOwn(OPTION_OF, name) ? OPTION_OF[name] : `the header ${JSON.stringify(name.slice(0, 100))}`;
  if (!HEADER_NAME.test(name)) return `${what} has a name that no header can have.`;
  if (CONNECTION_HEADERS.includes(name.toLowerCase())) return `${what} is set by the module. Leave it out.`;
  if (typeof value === 'string' && HEADER_VALUE.test(value)) return undefined;
  return `${what} ${typeof value === 'string' ? 'holds a character that cannot be sent, such as a line break. It takes' : 'must be a string of'} printable ASCII characters.`;
}

function isDuration(value: unknown): boolean {
  return typeof value === 'number'
    ? value > 0 && value < Infinity
    : typeof value === 'string' && /^[^-]*[1-9]/.test(value);
}

function isQuery(query: unknown): boolean {
  if (query === undefined) return true;
  const known = ['string', 'number', 'boolean', 'undefined'];
  try {
    return isRecord(query) && Object.values(query).every((value) => known.includes(typeof value));
  } catch {
    return false;
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
