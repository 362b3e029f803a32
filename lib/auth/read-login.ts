import { NOT_VAULT_RESPONSE } from '../client/failures/status-failure.js';
import { textList } from '../client/response.js';
import type { VaultNotFoundError } from '../errors/index.js';
import { VaultAuthenticationError } from '../errors/index.js';
import type { Login } from './login-method.js';
import { checkToken } from './token.js';

/** A hundred years: beyond it, a date is no date any more. */
const MAX_LEASE_SECONDS = 3_155_760_000;

/** It is logged, so it must not be able to write a line of its own. */
const ACCESSOR = /^[\x21-\x7e]{1,256}$/;

/** Of a 404 without a word: Vault's own says what is missing. @internal */
export const NON_VAULT_404_ADVICE =
  'Vault does not answer so. Check that "endpoint" (VAULT_ADDR) is Vault itself and not another service.';

/** Advice for a login or a lookup in a Vault namespace that the server does not have. @internal */
export function missingNamespaceAdvice(namespace: string | undefined): string {
  const name = namespace === undefined ? 'The Vault namespace' : `The Vault namespace ${JSON.stringify(namespace)}`;
  return `${name} does not exist on this server. Check "auth.namespace" and "namespace" (VAULT_NAMESPACE).`;
}

/** What the server tells of a token, under the names it has in a login answer and in a lookup. @internal */
export interface TokenResponse {
  readonly accessor?: unknown;
  readonly policies?: unknown;
  readonly renewable?: unknown;
  /** Seconds it lives from now on. */
  readonly ttl: unknown;
  readonly type: unknown;
  /** Requests it is good for. */
  readonly num_uses?: unknown;
}

/** What is known of a token, with harmless values for what the server left out or got wrong. @internal */
export function parseTokenInfo({
  accessor,
  policies,
  renewable,
  ttl,
  type,
  num_uses: numUses,
}: TokenResponse): Omit<Login, 'token' | 'namespace' | 'owned'> {
  return {
    accessor: typeof accessor === 'string' && ACCESSOR.test(accessor) ? accessor : undefined,
    policies: textList(policies),
    leaseDuration: typeof ttl === 'number' && ttl > 0 ? Math.min(Math.max(ttl, 1), MAX_LEASE_SECONDS) : 0,
    renewable: renewable === true,
    ...(typeof numUses === 'number' && { numUses }),
    tokenType: typeof type === 'string' ? type : 'service',
  };
}

/**
 * The token in the answer to a login; this module owns it.
 *
 * @throws VaultAuthenticationError when there is none, or it cannot be one
 * @internal
 */
export function readLogin(
  body: unknown,
  login: { readonly operation: string; readonly path?: string; readonly namespace: string | undefined },
): Login {
  const { operation, path, namespace } = login;
  const auth = (body as { auth?: Record<string, unknown> | null } | undefined)?.auth;
  const token = auth?.['client_token'];
  if (!auth || typeof token !== 'string' || token === '') {
    throw new VaultAuthenticationError(`Cannot ${operation}: the server responded without a client token.`, {
      operation,
      path,
    });
  }
  return {
    ...parseTokenInfo({ ...auth, ttl: auth['lease_duration'], type: auth['token_type'] }),
    token: checkToken(token, 'the login answer'),
    namespace,
    owned: true,
  };
}

/** Whether a 404 has nothing to say about the reason. @internal */
export function hasNoExplanation(error: VaultNotFoundError): boolean {
  return error.nothingStored || error.reason === NOT_VAULT_RESPONSE;
}
