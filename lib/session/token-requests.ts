import type { Login } from '../auth/login.js';
import { parseTokenInfo } from '../auth/submit-login.js';
import { isJsonObject } from '../client/vault-request.js';
import type { Requester } from '../client/vault-client.js';
import { isVaultError, VaultBadResponseError, VaultPermissionError } from '../errors/index.js';

const RENEW_PATH = 'auth/token/renew-self';

/**
 * Renews a token for as long as the server likes, which knows the role's ttl, period and maximum.
 *
 * @returns what has changed
 * @throws a `VaultError`
 * @see https://openbao.org/api-docs/auth/token/#renew-a-token-self
 * @internal
 */
export async function renewToken(
  client: Requester,
  { token, namespace }: Login,
  timeoutMs: number,
): Promise<Partial<Login> & Pick<Login, 'leaseDuration'>> {
  const operation = 'renew the token of this application';
  const { body } = await client.request({
    method: 'POST',
    path: RENEW_PATH,
    operation,
    token: token ?? null,
    body: {},
    timeoutMs,
    // The session retries, because it knows how much time there is.
    retries: 0,
    // Failover is possible after a connection that broke.
    idempotent: true,
    ...(namespace !== undefined && { namespace }),
  });
  const auth = isJsonObject(body) ? body['auth'] : undefined;
  if (!isJsonObject(auth) || typeof auth['lease_duration'] !== 'number') {
    throw new VaultBadResponseError(`Cannot ${operation}: the response does not say how long it lives.`, {
      operation,
      path: RENEW_PATH,
    });
  }
  return parseTokenInfo({ ...auth, ttl: auth['lease_duration'], type: auth['token_type'] });
}

/**
 * What a failed renewal means: `invalid` when the server does not know the token, `not-renewable` when it will not renew it
 * (denied by a policy, not renewable, past its maximum), `transient` for everything else.
 * @internal
 */
export function classifyRenewalError(error: unknown): 'invalid' | 'not-renewable' | 'transient' {
  if (error instanceof VaultPermissionError) return error.policyDenied ? 'not-renewable' : 'invalid';
  if (!isVaultError(error)) return 'transient';
  // The server responds with 500 when less than a second is left before the maximum.
  return error.statusCode === 400 || error.reason === 'past-max-ttl' ? 'not-renewable' : 'transient';
}

/**
 * Looks up whether the server still knows a token. Never rejects.
 *
 * @returns `unknown` when the request failed for another reason
 * @internal
 */
export async function lookUpValidity(
  client: Requester,
  { token, namespace }: Login,
): Promise<'valid' | 'invalid' | 'unknown'> {
  try {
    await client.request({
      method: 'GET',
      path: 'auth/token/lookup-self',
      operation: 'find out whether the token of this application is still valid',
      token: token ?? null,
      ...(namespace !== undefined && { namespace }),
    });
  } catch (error) {
    if (!(error instanceof VaultPermissionError)) return 'unknown';
    // A denial by a policy means that the server has found the policies of the token.
    if (!error.policyDenied) return 'invalid';
  }
  return 'valid';
}

/**
 * Revokes a token that the module obtained; batch tokens cannot be revoked. Never rejects: a token that cannot be revoked
 * expires.
 * @internal
 */
export async function revokeToken(
  client: Requester,
  { token, owned, tokenType, namespace }: Login,
  timeoutMs: number,
): Promise<void> {
  if (token === undefined || !owned || tokenType === 'batch') return;
  await client
    .request({
      method: 'POST',
      path: 'auth/token/revoke-self',
      token,
      // Where it was issued: a token is unknown in the namespaces above its own.
      ...(namespace !== undefined && { namespace }),
      timeoutMs,
      // Revoking twice does no harm; a server that is away must not delay the shutdown for long.
      idempotent: true,
      retries: 1,
      operation: 'revoke the token of this application',
    })
    .catch(() => undefined);
}
