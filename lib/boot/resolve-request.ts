import { checkProxy, ENVIRONMENT_PROXY } from '../client/connections/proxy-address.js';
import type { VaultConsistency } from '../client/consistency.js';
import type { VaultRateLimit } from '../client/rate-limiter.js';
import type { ClientOptions, VaultRequestOptions } from '../client/client-options.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import type { Shape } from '../options/check-options.js';
import { headerText, typeOf, positiveNumber, wholeNumber } from '../options/check-options.js';
import { readVariable, variableName, VARIABLES } from '../options/environment.js';
import { goRateLimit } from '../options/go-values.js';

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,200}$/i;
/** Headers of Vault, of the transport, and of the connection rather than the call. */
const RESERVED =
  /^(?:x-vault-.*|proxy-.*|accept|accept-encoding|connection|content-.*|expect|host|http2-settings|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;
const HEADERS =
  'an object of header names and printable values; headers that start with "X-Vault-", and those of the connection and the body, are set by the module';

const CONSISTENCIES: readonly VaultConsistency[] = ['off', 'read-your-writes', 'forward'];

const headers = (value: unknown): string | undefined =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.entries(value).every(
    ([name, text]) => HEADER_NAME.test(name) && !RESERVED.test(name) && headerText(text) === undefined,
  )
    ? undefined
    : HEADERS;

/** @internal */
export const REQUEST_SHAPE: Shape = {
  timeoutMs: positiveNumber,
  connectTimeoutMs: positiveNumber,
  maxConnections: positiveNumber,
  headers,
  http2: typeOf('boolean'),
  proxy: typeOf('string'),
  redirects: typeOf('boolean'),
  retries: wholeNumber,
  rateLimit: checkRateLimit,
  consistency: (value) =>
    CONSISTENCIES.some((known) => known === value) ? undefined : `one of "${CONSISTENCIES.join('", "')}"`,
};

/**
 * What applies to all calls; options given explicitly win over the environment one by one.
 *
 * @throws VaultInvalidOptionError naming the variable
 * @internal
 */
export function resolveRequest(options: VaultRequestOptions = {}): Omit<ClientOptions, 'endpoint' | 'tls'> {
  return {
    timeoutMs: options.timeoutMs ?? readVariable(VARIABLES.timeoutMs) ?? 15_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    maxConnections: Math.ceil(options.maxConnections ?? 8),
    headers: lowerCase(options.headers ?? headersOfEnvironment()),
    http2: options.http2 ?? true,
    proxy: resolveProxy(options.proxy),
    redirects: options.redirects ?? readVariable(VARIABLES.disableRedirects) !== true,
    retries: options.retries ?? readVariable(VARIABLES.retries) ?? 2,
    rateLimit: readRateLimit(options.rateLimit) ?? readVariable(VARIABLES.rateLimit),
    consistency: options.consistency,
  };
}

function headersOfEnvironment(): Readonly<Record<string, string>> {
  const found = readVariable(VARIABLES.headers) ?? {};
  if (headers(found) === undefined) return found;
  throw new VaultInvalidOptionError(`${variableName(VARIABLES.headers)} must be ${HEADERS}, as JSON.`);
}

function lowerCase(given: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]));
}

function resolveProxy(given: string | undefined): string | undefined {
  if (given === ENVIRONMENT_PROXY) return given;
  if (given !== undefined) return checkProxy(given, '"request.proxy"');
  for (const variable of [VARIABLES.proxy, VARIABLES.httpProxy]) {
    const value = readVariable(variable);
    if (value !== undefined) return checkProxy(value, variableName(variable));
  }
  return undefined;
}

const EXPECTED = '{ perSecond, burst? } or text such as "50" or "50:100" (requests per second, and at once)';
const MAX_RATE = 1e9;

/** What a rate limit should have been; `undefined` when it is one. @internal */
export function checkRateLimit(value: unknown): string | undefined {
  return readRateLimit(value) === undefined ? EXPECTED : undefined;
}

/** A rate limit given as an object, or as text as `VAULT_RATE_LIMIT` has it; `undefined` when it is neither. @internal */
export function readRateLimit(value: unknown): VaultRateLimit | undefined {
  if (typeof value === 'string') return goRateLimit(value);
  if (typeof value !== 'object' || value === null) return undefined;
  const { perSecond, burst, ...unknown } = value as { perSecond?: unknown; burst?: unknown };
  if (Object.keys(unknown).length > 0) return undefined;
  if (typeof perSecond !== 'number' || !(perSecond > 0 && perSecond <= MAX_RATE)) return undefined;
  if (burst === undefined) return { perSecond };
  return typeof burst === 'number' && Number.isInteger(burst) && burst >= 1 && burst <= MAX_RATE
    ? { perSecond, burst }
    : undefined;
}
