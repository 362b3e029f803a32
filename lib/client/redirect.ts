import { VaultBadResponseError } from '../errors/index.js';
import { redact } from '../errors/redact.js';
import type { RawResponse } from './exchange.js';
import type { CallContext } from './network-errors.js';
import { errorPrefix } from './network-errors.js';
import type { PreparedRequest } from './prepare-request.js';
import { secretsSent } from './prepare-request.js';

const REDIRECTS: readonly number[] = [301, 302, 307, 308];

/** @internal */
export function isRedirect({ status }: RawResponse): boolean {
  return REDIRECTS.includes(status);
}

/**
 * Where a redirect leads. It is followed to a configured endpoint of the same scheme only, and to the path and query that were
 * asked for, below the prefix of that endpoint: a standby sends callers to the active server, and the token goes nowhere else.
 *
 * @param endpoints addresses of the configured ones
 * @returns one of these addresses
 * @throws VaultBadResponseError when it leads elsewhere
 * @internal
 */
export function redirectTarget(
  { status, headers }: RawResponse,
  prepared: PreparedRequest,
  endpoints: readonly string[],
  call: CallContext,
): string {
  const base = new URL(call.endpoint + prepared.path);
  const location = headers['location'] ?? '';
  const target = URL.canParse(location, base.href) ? new URL(location, base) : undefined;
  const allowed = endpoints.map((address) => ({ address, url: new URL(address + prepared.path) }));
  // Of a unix socket, URL knows no origin.
  const sameServer = allowed.filter(
    ({ url }) => url.origin !== 'null' && url.origin === target?.origin && url.protocol === base.protocol,
  );
  const found = sameServer.find(({ url }) => url.pathname === target?.pathname && url.search === target.search);
  if (found) return found.address;
  if (sameServer.length > 0) {
    const prefixAdvice = sameServer.some(({ url }) => url.pathname !== prepared.path.replace(/\?.*/, ''))
      ? ' A proxy that removes the path prefix from requests has to put it back into redirects.'
      : '';
    throw new VaultBadResponseError(
      `${errorPrefix(call)}: it redirects to another path, so the token was not sent there. Check that "endpoint" (VAULT_ADDR) is Vault itself and not a proxy or a login page.${prefixAdvice}`,
      { ...call, statusCode: status, reason: 'redirect-path' },
    );
  }
  const elsewhere = target ? redact(target.origin, secretsSent(prepared)) || 'another address' : 'an invalid address';
  throw new VaultBadResponseError(
    `${errorPrefix(call)}: it redirects to ${elsewhere}, which is not ${endpoints.length > 1 ? 'a' : 'the'} configured endpoint, ` +
      'so the token was not sent there. Point "endpoint" (VAULT_ADDR) at the active server or at a load balancer that finds it, ' +
      'or list all servers of the cluster in "endpoint", each by the address it gives itself (api_addr).',
    { ...call, statusCode: status },
  );
}

/** @internal */
export function redirectForbidden({ status }: RawResponse, call: CallContext): VaultBadResponseError {
  return new VaultBadResponseError(
    `${errorPrefix(call)}: it redirects (status ${status}), and "request.redirects" (VAULT_DISABLE_REDIRECTS) ` +
      'forbids to follow. Point "endpoint" (VAULT_ADDR) at the active server.',
    { ...call, statusCode: status },
  );
}
