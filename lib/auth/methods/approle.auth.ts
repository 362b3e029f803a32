import { typeOf } from '../../options/check-options.js';
import { encodeSegment } from '../../client/path.js';
import type { Requester } from '../../client/vault-client.js';
import { VaultBadResponseError, VaultInvalidOptionError } from '../../errors/index.js';
import type { Credential } from '../credential.js';
import { checkCredential, describeCredential, resolveCredential } from '../credential.js';
import type { Login, LoginMethod, LoginMethodDefinition, MountedLoginOptions } from '../login.js';
import { MOUNTED_LOGIN_OPTIONS, authMountPath, checkToken } from '../login.js';
import { submitLogin } from '../submit-login.js';
import { unwrapSecretId } from './unwrap.js';

/**
 * A response-wrapped secret id. It is unwrapped once and kept in memory for later logins. A restarted process needs a
 * new wrapping token.
 * @publicApi
 */
export interface WrappedSecretId {
  /** The wrapping token. */
  readonly wrapped: Credential;
}

/**
 * A secret id that the module fetches with a token ("pull"), a new one for each login.
 * @publicApi
 */
export interface PulledSecretId {
  /**
   * Token that may update `auth/<mount>/role/<roleName>/secret-id`, and read the role id if `roleId` is left out. It
   * is never revoked.
   */
  readonly token: Credential;
  readonly roleName: string;
}

/**
 * Role id and secret id.
 * @see https://openbao.org/api-docs/auth/approle/
 * @publicApi
 */
export interface AppRoleAuth extends MountedLoginOptions {
  readonly method: 'approle';
  /** Role id. Required, except with a pulled secret id: it is then fetched. */
  readonly roleId?: Credential;
  /** Secret id: as it is, wrapped, or pulled. Leave it out for roles with `bind_secret_id=false`. */
  readonly secretId?: Credential | WrappedSecretId | PulledSecretId;
}

/**
 * `approle`: role id and secret id; the secret id is given, wrapped, or fetched with a bootstrap token.
 * @internal
 */
export class AppRoleLogin implements LoginMethod {
  readonly method = 'approle';
  readonly #mountPath: string;
  /** The last wrapping token and the secret id that was in it. */
  #unwrapped: { readonly wrapping: string; readonly secretId: string } | undefined;

  readonly #options: AppRoleAuth;

  constructor(options: AppRoleAuth) {
    this.#options = options;
    this.#mountPath = authMountPath('approle', options);
    if (options.roleId === undefined && !isPulled(options.secretId)) {
      throw new VaultInvalidOptionError(
        '"auth.roleId" is missing. Give the role id that "bao read auth/approle/role/<name>/role-id" prints.',
      );
    }
    if (isPulled(options.secretId)) encodeSegment(options.secretId.roleName, 'auth.secretId.roleName');
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const roleId = await this.#roleId(client, signal);
    const secretId = await this.#secretId(client, signal);
    return submitLogin(client, {
      method: 'approle',
      mountPath: this.#mountPath,
      path: 'login',
      body: { role_id: roleId, ...(secretId !== undefined && { secret_id: secretId }) },
      options: this.#options,
      advice:
        secretId === undefined
          ? '"auth.secretId" is not set: set it, unless the role has "bind_secret_id=false". Check "auth.roleId" too.'
          : 'Check "auth.roleId" and "auth.secretId": the role id may be wrong, the secret id wrong, expired, used up or bound to other addresses.',
      signal,
    });
  }

  #roleId(client: Requester, signal: AbortSignal | undefined): Promise<string> {
    const { roleId, secretId } = this.#options;
    return roleId === undefined
      ? this.#pull(client, secretId as PulledSecretId, 'GET', 'role-id', 'role_id', signal)
      : resolveCredential(roleId, 'auth.roleId');
  }

  async #secretId(client: Requester, signal: AbortSignal | undefined): Promise<string | undefined> {
    const { secretId } = this.#options;
    if (secretId === undefined) return undefined;
    if (isPulled(secretId)) return this.#pull(client, secretId, 'POST', 'secret-id', 'secret_id', signal);
    if (isWrapped(secretId)) return this.#unwrap(client, secretId.wrapped, signal);
    return resolveCredential(secretId, 'auth.secretId');
  }

  /**
   * A wrapping token can be unwrapped once, so the secret id is kept until the source has another token. If that is missing or
   * cannot be unwrapped, the previous secret id stays in use.
   */
  async #unwrap(client: Requester, wrapped: Credential, signal: AbortSignal | undefined): Promise<string> {
    const source = describeCredential(wrapped);
    try {
      const wrapping = checkToken(await resolveCredential(wrapped, 'auth.secretId.wrapped'), source);
      if (wrapping !== this.#unwrapped?.wrapping) {
        const { namespace } = this.#options;
        const options = { source, mountPath: this.#mountPath, namespace, signal };
        this.#unwrapped = { wrapping, secretId: await unwrapSecretId(client, wrapping, options) };
      }
    } catch (error) {
      if (!this.#unwrapped || signal?.aborted) throw error;
    }
    return this.#unwrapped.secretId;
  }

  async #pull(
    client: Requester,
    { token, roleName }: PulledSecretId,
    method: 'GET' | 'POST',
    what: 'role-id' | 'secret-id',
    field: string,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const path = `auth/${this.#mountPath}/role/${encodeSegment(roleName, 'auth.secretId.roleName')}/${what}`;
    const operation = `fetch the ${what} of role ${JSON.stringify(roleName)} with the bootstrap token`;
    const { namespace } = this.#options;
    const { body } = await client.request({
      method,
      path,
      operation,
      token: checkToken(await resolveCredential(token, 'auth.secretId.token'), describeCredential(token)),
      signal,
      ...(method === 'POST' && { body: {} }),
      ...(namespace !== undefined && { namespace }),
    });
    const value = (body as { data?: Record<string, unknown> } | undefined)?.data?.[field];
    if (typeof value === 'string' && value !== '') return value;
    throw new VaultBadResponseError(`Cannot ${operation}: the response contains no ${what}.`, { operation, path });
  }
}

function isPulled(secretId: AppRoleAuth['secretId']): secretId is PulledSecretId {
  return typeof secretId === 'object' && 'roleName' in secretId;
}

function isWrapped(secretId: AppRoleAuth['secretId']): secretId is WrappedSecretId {
  return typeof secretId === 'object' && 'wrapped' in secretId;
}

function checkSecretId(value: unknown): string | undefined {
  const given = (value ?? {}) as { wrapped?: unknown; roleName?: unknown; token?: unknown };
  if (typeof value === 'object' && 'wrapped' in given) return checkCredential(given.wrapped);
  if (typeof value === 'object' && 'roleName' in given)
    return typeOf('string')(given.roleName) ?? checkCredential(given.token);
  return checkCredential(value) && 'a string, { env }, { file }, a function, { wrapped } or { roleName, token }';
}

/** @internal */
export const approle: LoginMethodDefinition<AppRoleAuth> = {
  shape: { ...MOUNTED_LOGIN_OPTIONS, roleId: checkCredential, secretId: checkSecretId },
  create: (auth) => new AppRoleLogin(auth),
};
