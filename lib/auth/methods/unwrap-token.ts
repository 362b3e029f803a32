import type { VaultClient } from '../../client/vault-client.js';
import { VaultAuthenticationError } from '../../errors/index.js';
import { checkToken } from '../token.js';
import { spentWrappingToken } from './unwrap-secret-id.js';

/** A wrapped token in an agent's sink. @internal */
export interface WrappedToken {
  readonly wrapping: string;
  /** Where it came from, for messages. */
  readonly source: string;
  readonly namespace: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * The wrapping token in the content of a sink whose agent wraps (`wrap_ttl`): such an agent writes the `wrap_info` of the
 * server's answer as JSON. `undefined` when the content is a token itself.
 *
 * @see https://openbao.org/docs/agent-and-proxy/autoauth/#response-wrapping-tokens
 * @internal
 */
export function wrappingTokenOf(content: string): string | undefined {
  if (!content.startsWith('{')) return undefined;
  try {
    const { token } = JSON.parse(content) as { token?: unknown };
    return typeof token === 'string' ? token : undefined;
  } catch {
    return undefined;
  }
}

/** The token inside. @throws VaultAuthenticationError when it cannot be opened (any more), or holds no token @internal */
export async function unwrapToken(
  client: VaultClient,
  { wrapping, source, namespace, signal }: WrappedToken,
): Promise<string> {
  const operation = `unwrap the token from ${source}`;
  try {
    const { body } = await client.request({
      method: 'POST',
      path: 'sys/wrapping/unwrap',
      operation,
      token: checkToken(wrapping, source),
      signal,
      ...(namespace !== undefined && { namespace }),
    });
    const token = (body as { data?: Record<string, unknown> } | undefined)?.data?.['token'];
    if (typeof token === 'string' && token !== '') return token;
    throw new VaultAuthenticationError(`Cannot ${operation}: what was wrapped holds no "token".`, { operation });
  } catch (error) {
    throw spentWrappingToken(error, operation, 'revoke the token of the agent, and have it log in again');
  }
}
