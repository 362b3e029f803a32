import { typeOf } from '../../options/check-options.js';
import type { Requester } from '../../client/vault-client.js';
import type { Credential } from '../credential.js';
import { checkCredential, describeCredential, resolveCredential } from '../credential.js';
import { checkJwt, diagnoseJwt, diagnoseRole } from './jwt-claims.js';
import type { Login, LoginMethodDefinition, LoginMethod } from '../login-method.js';
import type { MountedLoginOptions } from '../login.options.js';
import { MOUNTED, authMountPath, requireOptions } from '../login.options.js';
import { submitLogin } from '../submit-login.js';

/**
 * A JWT that is signed by another system: CI, a cloud, a service mesh.
 * @see https://openbao.org/api-docs/auth/jwt/#jwt-login
 * @publicApi
 */
export interface JwtAuth extends MountedLoginOptions {
  readonly method: 'jwt';
  /** The JWT. It is read again at every login, because it expires soon. */
  readonly jwt: Credential;
  /** Default: `default_role` of the mount. */
  readonly role?: string;
}

/** @internal */
export class JwtLogin implements LoginMethod {
  readonly method = 'jwt';
  readonly #options: JwtAuth;
  readonly #mountPath: string;

  constructor(options: JwtAuth) {
    this.#options = options;
    this.#mountPath = authMountPath('jwt', options);
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { jwt: credential, role } = this.#options;
    const source = describeCredential(credential);
    const jwt = checkJwt(await resolveCredential(credential, 'auth.jwt'), 'auth.jwt', source);
    const fix = 'Get a new one from its issuer, and hand it over as a file or function, which is asked at every login.';
    return submitLogin(client, {
      method: 'jwt',
      mountPath: this.#mountPath,
      path: 'login',
      body: { jwt, ...(role !== undefined && { role }) },
      options: this.#options,
      advice: 'Check "auth.jwt" and "auth.role": claims, audience and subject have to be those the role is bound to.',
      classify: (said, namespace) =>
        diagnoseRole(this.#mountPath, role, said, namespace) ?? diagnoseJwt(jwt, source, fix, said),
      signal,
    });
  }
}

/** @internal */
export const jwt: LoginMethodDefinition<JwtAuth> = {
  shape: { ...MOUNTED, jwt: checkCredential, role: typeOf('string') },
  create: (auth) => new JwtLogin(requireOptions(auth, 'jwt')),
};
