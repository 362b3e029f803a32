import type { VaultClient } from '../client/vault-client.js';
import { VaultAuthenticationError, VaultBadResponseError, VaultPermissionError } from '../errors/index.js';
import type { Credential } from './credential.js';
import { describeCredential, resolveCredential } from './credential.js';
import type { Login, LoginMethod } from './login-method.js';
import { checkToken } from './token.js';
import type { TokenAuth } from './vault-auth.options.js';

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
      accessor: typeof accessor === 'string' ? accessor : undefined,
      policies: Array.isArray(policies) ? policies.map(String) : [],
      leaseDuration: typeof ttl === 'number' ? ttl : 0,
      renewable: renewable === true,
      tokenType: typeof type === 'string' ? type : 'service',
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

function defaultToken(): Credential {
  for (const name of ['BAO_TOKEN', 'VAULT_TOKEN']) if (process.env[name]) return { env: name };
  throw new VaultAuthenticationError(
    'No way to log in is configured. Set "auth" in the options of VaultModule (for example { method: "approle", … }), or the environment variable VAULT_TOKEN or BAO_TOKEN.',
  );
}
