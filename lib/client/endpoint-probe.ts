import type { Endpoint } from './endpoints.js';
import { RawExchange } from './exchange.js';
import { errorOfFailure } from './network-errors.js';
import { classifyFailure, shortReason } from './retry.js';

const MAX_BYTES = 64 * 1024;
const ACTIVE = 200;
/** A standby, and a performance standby: both serve or forward requests. */
const STANDBY: readonly number[] = [429, 473];
const SEALED = 503;
/** A disaster-recovery secondary, a server without keys, a sealed one: only people can change that. */
const UNUSABLE: readonly number[] = [472, 501, SEALED];

/** What a health response says about a server. @internal */
export type EndpointRole = 'active' | 'standby' | 'down' | 'unusable';

/**
 * Asks a server for its health, without a token. Never rejects.
 *
 * @see https://openbao.org/api-docs/system/health/
 * @internal
 */
export async function probe(
  { address, connections }: Endpoint,
  headers: Readonly<Record<string, string>> | undefined,
  timeoutMs: number,
): Promise<{ readonly role: EndpointRole; readonly error: string }> {
  const exchange = new RawExchange({ timeoutMs, maxBytes: MAX_BYTES, signal: undefined });
  const outcome = await exchange.send(connections, {
    method: 'GET',
    path: '/v1/sys/health',
    headers: { ...headers, 'x-vault-request': 'true' },
  });
  if (!('failure' in outcome)) {
    const { status } = outcome;
    return { role: roleOf(status), error: status === SEALED ? 'sealed' : `status ${status}` };
  }
  const error = errorOfFailure(outcome.failure, {
    operation: 'read the health',
    endpoint: address,
    previousAttempts: '',
    timeoutMs,
    deadline: 0,
    connectTimeoutMs: timeoutMs,
    maxBytes: MAX_BYTES,
  });
  return { role: classifyFailure(error, exchange.sent)?.permanent ? 'unusable' : 'down', error: shortReason(error) };
}

function roleOf(status: number): EndpointRole {
  if (status === ACTIVE) return 'active';
  if (STANDBY.includes(status)) return 'standby';
  return UNUSABLE.includes(status) ? 'unusable' : 'down';
}
