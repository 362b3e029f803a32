import type { VaultClient } from '../client/vault-client.js';
import {
  VaultAuthenticationError,
  VaultBadResponseError,
  VaultNotFoundError,
  VaultPermissionError,
} from '../errors/index.js';
import type { Credential } from './credential.js';
import { checkCredential, describeCredential, resolveCredential } from './credential.js';
import type { Login, LoginKind, LoginMethod } from './login-method.js';
import type { LoginOptions } from './login.options.js';
import { checkToken } from './token.js';

/**
 * An existing token. It is looked up at boot, and never revoked by this module.
 * @publicApi
 */
export interface TokenAuth extends LoginOptions {
  readonly method: 'token';
  /** Default: `BAO_TOKEN`, else `VAULT_TOKEN`. */
  readonly token?: Credential;
}

/**
 * `token`: an existing token, looked up so that a wrong one is noticed at boot.
 * @see https://openbao.org/api-docs/auth/token/#lookup-a-token-self
 * @internal
 */
export class TokenLogin implements LoginMethod {
  readonly method = 'token';

  readonly #options: TokenAuth;

  constructor(options: TokenAuth) {
    this.#options = options;
  }

  async login(client: VaultClient, signal?: AbortSignal): Promise<Login> {
    const credential = this.#options.token ?? defaultToken();
    const source = describeCredential(credential);
    const token = checkToken(await resolveCredential(credential, 'auth.token'), source);
    const data = await this.#lookUp(client, token, source, signal);
    const { ttl, accessor, policies, renewable, type } = data;
    return {
      token,
      accessor: typeof accessor === 'string' && accessor !== '' ? accessor : undefined,
      policies: Array.isArray(policies) ? policies.map(String) : [],
      leaseDuration: typeof ttl === 'number' ? ttl : 0,
      renewable: renewable === true,
      tokenType: typeof type === 'string' ? type : 'service',
      namespace: this.#options.namespace,
      owned: false,
    };
  }

  async #lookUp(
    client: VaultClient,
    token: string,
    source: string,
    signal: AbortSignal | undefined,
  ): Promise<Record<string, unknown>> {
    const operation = `look up the token from ${source}`;
    const path = 'auth/token/lookup-self';
    const { namespace } = this.#options;
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
      if (typeof data === 'object' && data !== null) return data as Record<string, unknown>;
      throw new VaultBadResponseError(`Cannot ${operation}: the answer has no data.`, { operation, path });
    } catch (error) {
      if (error instanceof VaultNotFoundError) throw namespaceMissing(error, operation);
      if (!(error instanceof VaultPermissionError)) throw error;
      throw new VaultAuthenticationError(
        error.policyDenied
          ? `Cannot ${operation}: the token is valid, but it may not look itself up. Give it the "default" policy, or add: path "auth/token/lookup-self" { capabilities = ["read"] }`
          : `Cannot ${operation}: the server at ${client.endpoint} does not know this token. It is wrong, has expired or was revoked; ` +
              'or it belongs to another server or namespace. Create a new one.',
        { ...error },
      );
    }
  }
}

/** Every Vault has this path; what is absent can only be the namespace. */
function namespaceMissing(error: VaultNotFoundError, operation: string): VaultAuthenticationError {
  const name = error.namespace === undefined ? 'The namespace' : `The namespace ${JSON.stringify(error.namespace)}`;
  return new VaultAuthenticationError(
    `Cannot ${operation}: the server answered 404. ${name} does not exist there; check "namespace" (VAULT_NAMESPACE) and "auth.namespace".`,
    { ...error },
  );
}

function defaultToken(): Credential {
  // As with all variables: BAO_TOKEN counts when it is set at all, and an empty one counts as no token.
  const name = process.env['BAO_TOKEN'] === undefined ? 'VAULT_TOKEN' : 'BAO_TOKEN';
  if (process.env[name]) return { env: name };
  throw new VaultAuthenticationError(
    'No way to log in is configured. Set "auth" in the options of VaultModule (for example { method: "approle", … }), or the environment variable VAULT_TOKEN or BAO_TOKEN.',
  );
}

/** @internal */
export const token: LoginKind<TokenAuth> = {
  shape: { token: checkCredential },
  create: (auth) => new TokenLogin(auth),
};
