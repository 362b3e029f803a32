import { typeOf } from '../../options/check-options.js';
import { encodePath } from '../../client/path.js';
import type { Requester } from '../../client/vault-client.js';
import { isVaultError, VaultAbortedError, VaultAuthenticationError } from '../../errors/index.js';
import { failureKind } from '../../errors/redact.js';
import type { Login, LoginMethod, LoginMethodDefinition, LoginOptions } from '../login.js';
import { LOGIN_OPTIONS, checkToken, requireOptions } from '../login.js';
import { completeLogin, lookUpToken } from '../submit-login.js';
import type { MfaPasscodes } from '../mfa.js';
import { checkMfa } from '../mfa.js';

/**
 * Argument of a login function. Its calls send no token, unless one is passed.
 * @publicApi
 */
export interface CustomLoginClient {
  /** Scheme, host and port of the server. */
  readonly endpoint: string;
  /**
   * Aborted when the login is not needed any more: the boot has timed out, the login has taken more than a minute, or the
   * application closes while no `write` is in progress.
   */
  readonly signal: AbortSignal | undefined;
  /**
   * Writes to a path such as `auth/my-plugin/login`, and resolves with the complete JSON response.
   * @throws VaultError
   */
  write(path: string, data?: object, options?: { readonly token?: string }): Promise<unknown>;
}

/**
 * What a login function returns: a token; a token with whether the module may revoke it when it is replaced and at the
 * end; or the response of a login path as it is, whose token the module owns.
 * @publicApi
 */
export type CustomLoginResult =
  string | { readonly token: string; readonly revoke?: boolean } | { readonly auth: object };

/**
 * A function that logs in. A token that it returns is looked up before it is used.
 * @publicApi
 */
export interface CustomAuth extends LoginOptions {
  readonly method: 'custom';
  /**
   * Called at every login. `VaultError`s that it throws are passed through; for other errors, only the class is
   * reported.
   */
  readonly login: (vault: CustomLoginClient) => CustomLoginResult | Promise<CustomLoginResult>;
  /** Passcodes for a second factor, by the name, id or type of the method. Default: none. */
  readonly mfa?: MfaPasscodes;
}

const OPERATION = 'log in with the function in "auth.login"';

/** @internal */
export class CustomLogin implements LoginMethod {
  readonly method = 'custom';
  readonly #options: CustomAuth;

  constructor(options: CustomAuth) {
    this.#options = options;
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { namespace, mfa } = this.#options;
    const result = await this.#call(client, signal);
    if (isObject(result) && isObject(result['auth']))
      return completeLogin(client, result, { operation: OPERATION, namespace, passcodes: mfa, signal });
    const given = isObject(result) ? result : { token: result };
    const { token, revoke = false } = given;
    if (typeof token !== 'string' || typeof revoke !== 'boolean') throw unusable();
    const source = 'the function in "auth.login"';
    return lookUpToken(client, { token: checkToken(token.trim(), source), source, namespace, owned: revoke, signal });
  }

  async #call(client: Requester, signal: AbortSignal | undefined): Promise<unknown> {
    const { namespace, login } = this.#options;
    try {
      return await login({
        endpoint: client.endpoint,
        signal,
        write: async (path, data = {}, { token } = {}) => {
          const { body } = await client.request({
            method: 'POST',
            path: encodePath(path, 'path'),
            operation: `${OPERATION}: write ${path}`,
            body: data,
            token: token ?? null,
            signal,
            ...(namespace !== undefined && { namespace }),
          });
          return body;
        },
      });
    } catch (error) {
      if (isVaultError(error)) throw error;
      if (signal?.aborted)
        throw new VaultAbortedError(`Cannot ${OPERATION}: it was given up as it had not returned.`, {
          operation: OPERATION,
        });
      // The message is the user's own and may hold anything, so only the kind of error is told.
      throw new VaultAuthenticationError(`Cannot ${OPERATION}: it failed (${failureKind(error)}).`, {
        operation: OPERATION,
      });
    }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function unusable(): VaultAuthenticationError {
  return new VaultAuthenticationError(
    `Cannot ${OPERATION}: it returned neither a token, nor { token, revoke }, nor the response of a login ({ auth }).`,
    { operation: OPERATION },
  );
}

/** @internal */
export const custom: LoginMethodDefinition<CustomAuth> = {
  shape: { ...LOGIN_OPTIONS, login: typeOf('function'), mfa: checkMfa },
  create: (auth) => new CustomLogin(requireOptions(auth, 'login')),
};
