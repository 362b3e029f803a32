import { setTimeout as delay } from 'node:timers/promises';
import type { RawResponse } from '../../client/exchange.js';
import { ExchangeInterrupted, RawExchange } from '../../client/exchange.js';
import { interop } from '../../client/interop.js';
import { VaultAbortedError, VaultAuthenticationError, VaultInvalidOptionError } from '../../errors/index.js';
import { redact } from '../../errors/redact.js';

/** The services are next door: who is there at all answers the door at once. Tokens take them longer to make. */
const CONNECT_TIMEOUT_MS = 1_000;
const TIMEOUT_MS = 5_000;
const MAX_BYTES = 64 * 1024;
/** Pauses before another try; the services are known to be busy, or not there yet, when a machine or pod starts. */
const PAUSES_MS = [250, 1_000];

type Outcome = RawResponse | { readonly failure: unknown };

/** One request to a service of a cloud. @internal */
export interface MetadataRequest {
  /** What is wanted, in words: `get an identity token`. */
  readonly operation: string;
  /** Who is asked, in words: `the EC2 instance metadata service`. */
  readonly service: string;
  readonly url: URL;
  /** Default: `GET`. */
  readonly method?: 'GET' | 'PUT' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** What it means, and what to do, when nobody answers there. */
  readonly absent: string;
  /** What to check when the answer is a refusal. */
  readonly refused: string;
  /** What went with the request and must not come back in an error. */
  readonly secrets?: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/**
 * Asks a metadata or token service of a cloud: one new connection, no proxy, no redirect, at most 64 KiB, at most 5 s and
 * three tries. The answer has status 200 and a body.
 *
 * @throws VaultAuthenticationError with `reason: 'metadata-unreachable'` or the status
 * @throws VaultAbortedError when the signal ends it
 * @internal
 */
export async function askMetadata(request: MetadataRequest): Promise<RawResponse> {
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await once(request);
    const pause = PAUSES_MS[attempt];
    if (pause === undefined || !passing(outcome)) return accept(outcome, request);
    try {
      await delay(pause, undefined, { ...(request.signal && { signal: request.signal }) });
    } catch {
      throw aborted(request);
    }
  }
}

/** The JSON object in an answer. @throws VaultAuthenticationError when there is none @internal */
export function readObject({ text }: RawResponse, request: MetadataRequest): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // The parser's message quotes the text.
  }
  throw foreign(request, 'it is not JSON');
}

/** A text in such an object that has to be there. @throws VaultAuthenticationError when it is not @internal */
export function readField(object: Readonly<Record<string, unknown>>, field: string, request: MetadataRequest): string {
  const value = object[field];
  if (typeof value === 'string' && value !== '') return value;
  throw foreign(request, `it has no "${field}"`);
}

async function once({ url, method = 'GET', headers, body, signal }: MetadataRequest): Promise<Outcome> {
  const { Client } = interop(await import('undici'), 'Client');
  const client = new Client(url.origin, {
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const exchange = new RawExchange({ timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, signal });
  try {
    return await exchange.send(client, { method, path: url.pathname + url.search, headers, body: body ?? null });
  } finally {
    await client.destroy();
  }
}

/** Whether a later try may go better. Who does not answer at all is not asked twice: there is nobody. */
function passing(outcome: Outcome): boolean {
  if ('failure' in outcome) return ['ECONNREFUSED', 'ECONNRESET'].includes(codeOf(outcome.failure));
  return outcome.status === 410 || outcome.status === 429 || outcome.status >= 500;
}

function accept(outcome: Outcome, request: MetadataRequest): RawResponse {
  const { operation, service, url } = request;
  const where = `Cannot ${operation} from ${service} at ${url.origin}`;
  const details = { operation, endpoint: url.origin };
  if ('failure' in outcome) {
    const { failure } = outcome;
    const fault = failure instanceof ExchangeInterrupted ? failure.fault : undefined;
    if (fault === 'aborted') throw aborted(request);
    if (fault === 'too-large') throw foreign(request, `it is larger than ${MAX_BYTES} bytes`);
    const reason = fault === 'deadline' ? `no complete answer within ${TIMEOUT_MS} ms` : codeOf(failure);
    throw new VaultAuthenticationError(`${where}: ${reason}. ${request.absent}`, {
      ...details,
      reason: 'metadata-unreachable',
    });
  }
  if (outcome.status === 200 && outcome.text.trim() !== '') return outcome;
  if (outcome.status === 200) throw foreign(request, 'it is empty');
  const said = wordsOf(outcome.text, request.secrets ?? []);
  throw new VaultAuthenticationError(
    `${where}: it answered with status ${outcome.status}${said === '' ? '' : ` (${said})`}. ${request.refused}`,
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

function foreign({ operation, service, url, absent }: MetadataRequest, why: string): VaultAuthenticationError {
  return new VaultAuthenticationError(
    `Cannot ${operation} from ${service} at ${url.origin}: what answered there is something else; ${why}. ${absent}`,
    { operation, endpoint: url.origin },
  );
}

/** What the clouds say in their errors, without anything that was secret in the question. */
function wordsOf(text: string, secrets: readonly string[]): string {
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
 * The address of a service, to which a path is added. It is not quoted in errors: it may hold a password.
 *
 * @param what the option or environment variable it comes from
 * @throws VaultInvalidOptionError
 * @internal
 */
export function checkAddress(value: string, what: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.host !== '' && url.username === '' && url.password === '')
    return url;
  throw new VaultInvalidOptionError(
    `${what} is not an address such as "http://169.254.169.254": scheme, host and port, without user name and password.`,
  );
}

/** A path below an address, with query parameters; those that are `undefined` are left out. @internal */
export function below(address: URL, path: string, query: Readonly<Record<string, string | undefined>> = {}): URL {
  const url = new URL(address.href.replace(/[?#].*$/, '').replace(/\/+$/, '') + path);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  return url;
}
