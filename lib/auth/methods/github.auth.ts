import type { Requester } from '../../client/vault-client.js';
import type { Credential } from '../credential.js';
import { checkCredential, resolveCredential } from '../credential.js';
import type { Login, LoginMethod, LoginMethodDefinition, MountedLoginOptions } from '../login.js';
import { MOUNTED_LOGIN_OPTIONS, authMountPath } from '../login.js';
import { submitLogin } from '../submit-login.js';

/**
 * A personal access token of GitHub. Vault only; OpenBao has no such method.
 * @see https://developer.hashicorp.com/vault/api-docs/auth/github
 * @publicApi
 */
export interface GithubAuth extends MountedLoginOptions {
  readonly method: 'github';
  /** Needs the scope `read:org`. Default: environment variable `VAULT_AUTH_GITHUB_TOKEN`. */
  readonly token?: Credential;
}

/** @internal */
export class GithubLogin implements LoginMethod {
  readonly method = 'github';
  readonly #options: GithubAuth & { readonly token: Credential };
  readonly #mountPath: string;

  constructor(options: GithubAuth & { readonly token: Credential }) {
    this.#options = options;
    this.#mountPath = authMountPath('github', options);
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { token } = this.#options;
    return submitLogin(client, {
      method: 'github',
      mountPath: this.#mountPath,
      path: 'login',
      body: { token: await resolveCredential(token, 'auth.token') },
      options: this.#options,
      advice:
        'Check "auth.token": GitHub may not know it, it may lack the scope "read:org", or its user may be in no organization the method is configured for.',
      signal,
    });
  }
}

/** @internal */
export const github: LoginMethodDefinition<GithubAuth, 'token'> = {
  defaults: { token: { env: 'VAULT_AUTH_GITHUB_TOKEN' } },
  shape: { ...MOUNTED_LOGIN_OPTIONS, token: checkCredential },
  create: (auth) => new GithubLogin(auth),
};
