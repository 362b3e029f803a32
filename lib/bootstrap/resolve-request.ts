import type { VaultConsistency } from '../client/consistency.js';
import type { TransportOptions, VaultRequestOptions } from '../client/transport.options.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import { checkProxy, ENVIRONMENT_PROXY } from '../client/connections/proxy-address.js';
import type { Shape } from '../options/check-options.js';
import { headerText, is, positive, wholeNumber } from '../options/check-options.js';
import { checkRateLimit, readRateLimit } from './check-rate-limit.js';
import { fromEnvironment, nameOf, VARIABLES } from '../options/environment.js';

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
  timeoutMs: positive,
  connectTimeoutMs: positive,
  maxConnections: positive,
  headers,
  http2: is('boolean'),
  proxy: is('string'),
  redirects: is('boolean'),
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
export function resolveRequest(options: VaultRequestOptions = {}): Omit<TransportOptions, 'endpoint' | 'tls'> {
  return {
    timeoutMs: options.timeoutMs ?? fromEnvironment(VARIABLES.timeoutMs) ?? 15_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    maxConnections: Math.ceil(options.maxConnections ?? 8),
    headers: lowerCase(options.headers ?? headersOfEnvironment()),
    http2: options.http2 ?? true,
    proxy: resolveProxy(options.proxy),
    redirects: options.redirects ?? fromEnvironment(VARIABLES.disableRedirects) !== true,
    retries: options.retries ?? fromEnvironment(VARIABLES.retries) ?? 2,
    rateLimit: readRateLimit(options.rateLimit) ?? fromEnvironment(VARIABLES.rateLimit),
    consistency: options.consistency,
  };
}

function headersOfEnvironment(): Readonly<Record<string, string>> {
  const found = fromEnvironment(VARIABLES.headers) ?? {};
  if (headers(found) === undefined) return found;
  throw new VaultInvalidOptionError(`${nameOf(VARIABLES.headers)} must be ${HEADERS}, as JSON.`);
}

function lowerCase(given: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]));
}

function resolveProxy(given: string | undefined): string | undefined {
  if (given === ENVIRONMENT_PROXY) return given;
  if (given !== undefined) return checkProxy(given, '"request.proxy"');
  for (const variable of [VARIABLES.proxy, VARIABLES.httpProxy]) {
    const value = fromEnvironment(variable);
    if (value !== undefined) return checkProxy(value, nameOf(variable));
  }
  return undefined;
}
