import { VaultBadResponseError } from '../errors/index.js';
import { redact } from '../errors/redact.js';
import type { RawAnswer } from './exchange.js';
import type { CallContext } from './failures/network-failure.js';
import { beginning } from './failures/network-failure.js';
import type { PreparedRequest } from './prepare-request.js';
import { secretsSent } from './prepare-request.js';

const REDIRECTS: readonly number[] = [301, 302, 307, 308];

/** @internal */
export function isRedirect({ status }: RawAnswer): boolean {
  return REDIRECTS.includes(status);
}

/**
 * Where a redirect leads. It is followed to a configured endpoint of the same scheme only, and to the path and query that were
 * asked for: a standby sends callers to the active server, and the token goes nowhere else.
 *
 * @param endpoints the configured ones
 * @throws VaultBadResponseError when it leads elsewhere
 * @internal
 */
export function redirectTarget(
  { status, headers }: RawAnswer,
  prepared: PreparedRequest,
  endpoints: readonly string[],
  call: CallContext,
): { readonly endpoint: string; readonly path: string } {
  const base = call.endpoint + prepared.path;
  const location = headers['location'] ?? '';
  const target = URL.canParse(location, base) ? new URL(location, base) : undefined;
  const sameScheme = target?.protocol === new URL(base).protocol;
  if (target && sameScheme && endpoints.includes(target.origin)) {
    const asked = new URL(base);
    if (target.pathname !== asked.pathname || target.search !== asked.search) {
      throw new VaultBadResponseError(
        `${beginning(call)}: it redirects to another path, so the token was not sent there. Check that "endpoint" (VAULT_ADDR) is Vault itself and not a proxy or a login page.`,
        { ...call, statusCode: status, reason: 'redirect-path' },
      );
    }
    return { endpoint: target.origin, path: target.pathname + target.search };
  }
  const elsewhere = target ? redact(target.origin, secretsSent(prepared)) || 'another address' : 'an invalid address';
  throw new VaultBadResponseError(
    `${beginning(call)}: it redirects to ${elsewhere}, which is not ${endpoints.length > 1 ? 'a' : 'the'} configured endpoint, ` +
      'so the token was not sent there. Point "endpoint" (VAULT_ADDR) at the active server or at a load balancer that finds it, ' +
      'or list all servers of the cluster in "endpoint", each by the address it gives itself (api_addr).',
    { ...call, statusCode: status },
  );
}

/** @internal */
export function redirectForbidden({ status }: RawAnswer, call: CallContext): VaultBadResponseError {
  return new VaultBadResponseError(
    `${beginning(call)}: it redirects (status ${status}), and "request.redirects" (VAULT_DISABLE_REDIRECTS) ` +
      'forbids to follow. Point "endpoint" (VAULT_ADDR) at the active server.',
    { ...call, statusCode: status },
  );
}
