import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Requester } from '../../client/vault-client.js';
import { VaultAuthenticationError } from '../../errors/index.js';
import { withheldAdvice } from '../../options/environment.js';
import type { Credential } from '../credential.js';
import { checkCredential, describeCredential, resolveCredential } from '../credential.js';
import type { Login, LoginMethod, LoginMethodDefinition, LoginOptions } from '../login.js';
import { LOGIN_OPTIONS, checkToken } from '../login.js';
import { lookUpToken } from '../submit-login.js';

/**
 * An existing token. It is looked up at boot, renewed if possible, and never revoked.
 * @publicApi
 */
export interface TokenAuth extends LoginOptions {
  readonly method: 'token';
  /** Default: `BAO_TOKEN`, else `VAULT_TOKEN`. */
  readonly token?: Credential;
}

/** @internal */
export class TokenLogin implements LoginMethod {
  readonly method = 'token';
  readonly #options: TokenAuth;

  constructor(options: TokenAuth) {
    this.#options = options;
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { token: credential = defaultToken(), namespace } = this.#options;
    if (credential === undefined) throw noLogin();
    const source = describeCredential(credential);
    const token = checkToken(await resolveCredential(credential, 'auth.token'), source);
    return lookUpToken(client, { token, source, namespace, owned: false, signal });
  }
}

/** The token of the environment; `undefined` when there is none. @internal */
export function defaultToken(): Credential | undefined {
  // As with all variables: BAO_TOKEN counts when it is set at all, and an empty one counts as no token.
  const name = process.env['BAO_TOKEN'] === undefined ? 'VAULT_TOKEN' : 'BAO_TOKEN';
  return process.env[name] ? { env: name } : undefined;
}

/** The error when no login is configured. @internal */
export function noLogin(): VaultAuthenticationError {
  return new VaultAuthenticationError(
    `No login method is configured. Set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, or the option "auth", for example { method: "kubernetes", … }.${withheldAdvice()}`,
  );
}

/** @internal */
export const token: LoginMethodDefinition<TokenAuth> = {
  shape: { ...LOGIN_OPTIONS, token: checkCredential },
  create: (auth) => new TokenLogin(auth),
};

/**
 * The token that `bao login` or `vault login` has left in a file: the one `BAO_TOKEN_PATH` names, else `.vault-token` in
 * the home directory. For developers' machines: `auth: { method: 'token', token: tokenHelper() }`. It is read only where
 * this function is used, and read again at every login. A helper program set up in `~/.vault` is not run.
 * @see https://openbao.org/docs/commands/token-helper/
 * @publicApi
 */
export function tokenHelper(): Credential {
  return { file: process.env['BAO_TOKEN_PATH'] || join(homedir(), '.vault-token') };
}
