import type { Endpoint } from './endpoint.js';
import { Exchange } from './exchange.js';
import { networkFailure } from './failures/network-failure.js';
import { judgeFailure } from './retry-policy.js';
import { shortReason } from './tries.js';

const MAX_BYTES = 64 * 1024;
const ACTIVE = 200;
/** A standby, and a performance standby: both serve or forward what they are asked. */
const STANDBY: readonly number[] = [429, 473];
/** A disaster-recovery secondary, a server without keys, a sealed one: only people can change that. */
const SEALED = 503;
const HOPELESS: readonly number[] = [472, 501, SEALED];

/** What a server says of itself. @internal */
export type Role = 'active' | 'standby' | 'failing' | 'hopeless';

/**
 * Asks a server for its health, without a token. Never rejects.
 * @see https://openbao.org/api-docs/system/health/
 * @internal
 */
export async function probe(
  { address, connections }: Endpoint,
  headers: Readonly<Record<string, string>> | undefined,
  timeoutMs: number,
): Promise<{ readonly role: Role; readonly ailment: string }> {
  const exchange = new Exchange(timeoutMs, MAX_BYTES, undefined);
  const request = {
    method: 'GET',
    path: '/v1/sys/health',
    headers: { ...headers, 'x-vault-request': 'true' },
  } as const;
  try {
    connections.dispatch(request, exchange);
  } catch (error) {
    exchange.fail(error);
  }
  try {
    const { status } = await exchange.answer;
    return { role: roleOf(status), ailment: status === SEALED ? 'sealed' : `status ${status}` };
  } catch (thrown) {
    const call = { operation: 'read the health', endpoint: address, earlier: '' };
    const error = networkFailure(thrown, {
      ...call,
      timeoutMs,
      deadline: 0,
      connectTimeoutMs: timeoutMs,
      maxBytes: MAX_BYTES,
    });
    return { role: judgeFailure(error, exchange.sent)?.final ? 'hopeless' : 'failing', ailment: shortReason(error) };
  }
}

function roleOf(status: number): Role {
  if (status === ACTIVE) return 'active';
  if (STANDBY.includes(status)) return 'standby';
  return HOPELESS.includes(status) ? 'hopeless' : 'failing';
}
