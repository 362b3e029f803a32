import { typeOf } from '../../options/check-options.js';
import type { Requester } from '../../client/vault-client.js';
import { isVaultError } from '../../errors/index.js';
import { redact } from '../../errors/redact.js';
import type { Credential } from '../credential.js';
import { checkCredential, describeCredential, resolveCredential } from '../credential.js';
import { checkJwt, claimsOf, diagnoseJwt, diagnoseRole } from './jwt.auth.js';
import type { Login, LoginMethod, LoginMethodDefinition, MountedLoginOptions } from '../login.js';
import { MOUNTED_LOGIN_OPTIONS, authMountPath, requireOptions } from '../login.js';
import type { LoginFailure } from '../submit-login.js';
import { submitLogin } from '../submit-login.js';

/**
 * The service account of a pod.
 * @see https://openbao.org/api-docs/auth/kubernetes/#login
 * @publicApi
 */
export interface KubernetesAuth extends MountedLoginOptions {
  readonly method: 'kubernetes';
  readonly role: string;
  /**
   * Token of the service account. It is read again at every login, because Kubernetes replaces it. Default: the file
   * `/var/run/secrets/kubernetes.io/serviceaccount/token`.
   */
  readonly jwt?: Credential;
}

const DEFAULT_JWT = { file: '/var/run/secrets/kubernetes.io/serviceaccount/token' };
const STALE =
  'Kubernetes replaces the projected file in time: check that it is mounted as a whole (a subPath mount keeps the first one), and the clocks.';

/** @internal */
export class KubernetesLogin implements LoginMethod {
  readonly method = 'kubernetes';
  readonly #options: KubernetesAuth;
  readonly #mountPath: string;

  constructor(options: KubernetesAuth) {
    this.#options = options;
    this.#mountPath = authMountPath('kubernetes', options);
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { jwt: credential = DEFAULT_JWT, role } = this.#options;
    const source = describeCredential(credential);
    const jwt = checkJwt(await this.#read(credential), 'auth.jwt', source);
    return submitLogin(client, {
      method: 'kubernetes',
      mountPath: this.#mountPath,
      path: 'login',
      body: { jwt, role },
      options: this.#options,
      advice:
        `${whoIs(jwt)} The cluster may not have confirmed the token (token_reviewer_jwt, kubernetes_host and kubernetes_ca_cert of ` +
        `auth/${this.#mountPath}/config), or the role ${JSON.stringify(redact(role))} wants another audience. The server's log says which.`,
      classify: (said, namespace) =>
        diagnoseRole(this.#mountPath, role, said, namespace) ??
        diagnoseJwt(jwt, source, STALE, said) ??
        diagnoseAccount(jwt, role, said),
      signal,
    });
  }

  async #read(credential: Credential): Promise<string> {
    try {
      return await resolveCredential(credential, 'auth.jwt');
    } catch (error) {
      if (credential !== DEFAULT_JWT || !isVaultError(error) || error.reason !== 'ENOENT') throw error;
      throw error.withAdvice({
        id: 'mount-service-account-token',
        text: 'It is there in every pod, unless "automountServiceAccountToken" is false. Outside of Kubernetes, give "auth.jwt" or another "auth.method".',
      });
    }
  }
}

function whoIs(jwt: string): string {
  const { sub } = claimsOf(jwt);
  return typeof sub === 'string'
    ? `The token is that of ${JSON.stringify(redact(sub))}.`
    : 'The token names no service account.';
}

function diagnoseAccount(jwt: string, role: string, said: string): LoginFailure | undefined {
  if (!/not authorized/.test(said)) return undefined;
  return {
    reason: 'service-account',
    advice:
      `${whoIs(jwt)} The role ${JSON.stringify(redact(role))} is bound to others: add its name to "bound_service_account_names" ` +
      'and its Kubernetes namespace to "bound_service_account_namespaces".',
  };
}

/** @internal */
export const kubernetes: LoginMethodDefinition<KubernetesAuth> = {
  shape: { ...MOUNTED_LOGIN_OPTIONS, role: typeOf('string'), jwt: checkCredential },
  create: (auth) => new KubernetesLogin(requireOptions(auth, 'role')),
};
