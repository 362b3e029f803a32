import type { Requester } from '../client/vault-client.js';
import {
  VaultAuthenticationError,
  VaultBadResponseError,
  VaultNotFoundError,
  VaultPermissionError,
} from '../errors/index.js';
import type { Login } from './login-method.js';
import { missingNamespaceAdvice, hasNoExplanation, NON_VAULT_404_ADVICE, parseTokenInfo } from './read-login.js';

/** A token that comes from somewhere else. @internal */
export interface SuppliedToken {
  readonly token: string;
  /** Where it came from, for messages. */
  readonly source: string;
  readonly namespace: string | undefined;
  /** Whether this module may revoke it. */
  readonly owned: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Looks a token up, so that a wrong one is noticed at once and its end is known.
 *
 * @throws VaultAuthenticationError when the server does not know it, or it may not look itself up
 * @see https://openbao.org/api-docs/auth/token/#lookup-a-token-self
 * @internal
 */
export async function lookUpToken(client: Requester, given: SuppliedToken): Promise<Login> {
  const { token, source, namespace, owned, signal } = given;
  const operation = `look up the token from ${source}`;
  const path = 'auth/token/lookup-self';
  try {
    const { body } = await client.request({
      method: 'GET',
      path,
      operation,
      token,
      signal,
      ...(namespace !== undefined && { namespace }),
    });
    const data = (body as { data?: unknown } | undefined)?.data;
    if (typeof data !== 'object' || data === null)
      throw new VaultBadResponseError(`Cannot ${operation}: the answer has no data.`, { operation, path });
    const { ttl, type, ...facts } = data as { readonly ttl?: unknown; readonly type?: unknown };
    return { ...parseTokenInfo({ ...facts, ttl, type }), token, namespace, owned };
  } catch (error) {
    if (error instanceof VaultNotFoundError) throw namespaceMissing(error, operation);
    if (!(error instanceof VaultPermissionError)) throw error;
    throw error.as(
      VaultAuthenticationError,
      error.policyDenied
        ? {
            problem: `Cannot ${operation}: the token is valid, but it may not look itself up.`,
            advice: [
              {
                id: 'add-policy',
                text: 'Give it the "default" policy, or add: path "auth/token/lookup-self" { capabilities = ["read"] }',
              },
            ],
          }
        : {
            problem:
              `Cannot ${operation}: the server at ${client.endpoint} does not know this token. It is wrong, has expired or was revoked; ` +
              'or it belongs to another server or Vault namespace.',
            advice: [{ id: 'create-token', text: 'Create a new one.' }],
          },
    );
  }
}

/** Every Vault has this path; what is absent can only be the namespace, or Vault. */
function namespaceMissing(error: VaultNotFoundError, operation: string): VaultAuthenticationError {
  if (error.namespace === undefined && hasNoExplanation(error)) {
    const where = error.endpoint === undefined ? 'the server' : `the server at ${error.endpoint}`;
    return error.as(VaultAuthenticationError, {
      problem: `Cannot ${operation}: ${where} answered 404.`,
      advice: [{ id: 'check-endpoint', text: NON_VAULT_404_ADVICE }],
    });
  }
  return error.as(VaultAuthenticationError, {
    problem: `Cannot ${operation}: the server answered 404.`,
    reason: 'namespace',
    advice: [{ id: 'check-namespace', text: missingNamespaceAdvice(error.namespace) }],
  });
}
