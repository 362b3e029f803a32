import type { VaultClient } from '../../client/vault-client.js';
import { isJsonObject } from '../../client/response.js';
import { isVaultError, VaultBadResponseError, VaultPermissionError } from '../../errors/index.js';
import type { Login } from '../login-method.js';
import { parseTokenInfo } from '../read-login.js';

const PATH = 'auth/token/renew-self';

/**
 * Asks for another life of the token, as long as the server likes: it knows the role's ttl, its period and its maximum.
 *
 * @returns what has changed
 * @throws a `VaultError`
 * @see https://openbao.org/api-docs/auth/token/#renew-a-token-self
 * @internal
 */
export async function renewToken(
  client: VaultClient,
  { token, namespace }: Login,
  timeoutMs: number,
): Promise<Partial<Login> & Pick<Login, 'leaseDuration'>> {
  const operation = 'renew the token of this application';
  const { body } = await client.request({
    method: 'POST',
    path: PATH,
    operation,
    token: token ?? null,
    body: {},
    timeoutMs,
    // Tried again by whoever plans renewals, who knows how much time there is.
    retries: 0,
    // Another server may be asked after one that broke off.
    idempotent: true,
    ...(namespace !== undefined && { namespace }),
  });
  const auth = isJsonObject(body) ? body['auth'] : undefined;
  if (!isJsonObject(auth) || typeof auth['lease_duration'] !== 'number') {
    throw new VaultBadResponseError(`Cannot ${operation}: the answer does not say how long it lives.`, {
      operation,
      path: PATH,
    });
  }
  return parseTokenInfo({ ...auth, ttl: auth['lease_duration'], type: auth['token_type'] });
}

/**
 * What a failed renewal means: `dead` when the server does not know the token, `final` when it will not renew it
 * (forbidden by a policy, not renewable, past its maximum), `later` for everything that may pass.
 * @internal
 */
export function verdictOnRenewal(error: unknown): 'dead' | 'final' | 'later' {
  if (error instanceof VaultPermissionError) return error.policyDenied ? 'final' : 'dead';
  if (!isVaultError(error)) return 'later';
  // The server answers 500 when less than a second is left before the maximum.
  return error.statusCode === 400 || error.message.includes('past the max TTL') ? 'final' : 'later';
}
