import type { Requester } from '../../client/vault-client.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { parseAddress } from './metadata.js';
import { GcpMetadata, createSignedJwt } from './gcp-identity.js';
import { nonEmptyString, oneOf, assertNoForeignOptions } from '../../options/check-options.js';
import type { Credential } from '../credential.js';
import { checkCredential } from '../credential.js';
import type { Login, LoginMethod, LoginMethodDefinition, MountedLoginOptions } from '../login.js';
import { MOUNTED_LOGIN_OPTIONS, authMountPath, requireOptions } from '../login.js';
import { submitLogin } from '../submit-login.js';

/**
 * An instance of Compute Engine or a pod on GKE. The proof is an identity token of the metadata server.
 * @see https://developer.hashicorp.com/vault/api-docs/auth/gcp#login
 * @publicApi
 */
export interface GcpGceAuth extends MountedLoginOptions {
  readonly method: 'gcp';
  /** Default: `gce`. */
  readonly type?: 'gce';
  readonly role: string;
  /** E-mail of one of the accounts of the machine. Default: `default`. */
  readonly serviceAccount?: string;
  /** Address of the metadata server. Default: `GCE_METADATA_HOST`, else `http://metadata.google.internal`. */
  readonly metadataEndpoint?: string;
}

/**
 * A service account. The proof is a JWT that it has signed, with its key file or through the IAM Credentials service.
 * @see https://developer.hashicorp.com/vault/api-docs/auth/gcp#login
 * @publicApi
 */
export interface GcpIamAuth extends MountedLoginOptions {
  readonly method: 'gcp';
  readonly type: 'iam';
  readonly role: string;
  /** E-mail of the account that signs. Default: the one of the key file, else the one of this machine. */
  readonly serviceAccount?: string;
  /** Key file of the account, as JSON. Default: the file in `GOOGLE_APPLICATION_CREDENTIALS`, else none. */
  readonly credentials?: Credential;
  /**
   * Access token for the IAM Credentials service, if there is no key file. Default: a token from the metadata server.
   */
  readonly accessToken?: Credential;
  /** Address of the IAM Credentials service. Default: Google's. */
  readonly iamEndpoint?: string;
  /** Address of the metadata server. Default: `GCE_METADATA_HOST`, else `http://metadata.google.internal`. */
  readonly metadataEndpoint?: string;
}

/**
 * `gcp`: a JWT of Google's, made anew for every login and for this role only.
 * @internal
 */
export class GcpLogin implements LoginMethod {
  readonly method = 'gcp';
  readonly #options: GcpGceAuth | GcpIamAuth;
  readonly #mountPath: string;

  constructor(options: GcpGceAuth | GcpIamAuth) {
    this.#options = options;
    this.#mountPath = authMountPath('gcp', options);
    if (options.metadataEndpoint !== undefined) parseAddress(options.metadataEndpoint, '"auth.metadataEndpoint"');
    if (options.type !== 'iam') return;
    if (options.iamEndpoint !== undefined) parseAddress(options.iamEndpoint, '"auth.iamEndpoint"');
    if (options.credentials !== undefined && options.accessToken !== undefined)
      throw new VaultInvalidOptionError(
        '"auth.credentials" and "auth.accessToken" are two ways to the same signature. Keep one of them.',
      );
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { role } = this.#options;
    return submitLogin(client, {
      method: 'gcp',
      mountPath: this.#mountPath,
      path: 'login',
      body: { role, jwt: await this.#jwt(signal) },
      options: this.#options,
      advice:
        'Check "auth.role", that its type is the "auth.type" here, and what it is bound to (bound_service_accounts, bound_projects, bound_zones).',
      signal,
    });
  }

  #jwt(signal: AbortSignal | undefined): Promise<string> {
    const options = this.#options;
    // What the server compares is the end of the audience.
    const audience = `vault/${options.role}`;
    const { serviceAccount, metadataEndpoint } = options;
    if (options.type !== 'iam')
      return new GcpMetadata(metadataEndpoint, signal).identityToken(serviceAccount ?? 'default', audience);
    const { credentials, accessToken, iamEndpoint } = options;
    return createSignedJwt({
      audience,
      serviceAccount,
      credentials,
      accessToken,
      iamEndpoint,
      metadataEndpoint,
      signal,
    });
  }
}

/** @internal */
export const gcp: LoginMethodDefinition<GcpGceAuth | GcpIamAuth> = {
  shape: {
    ...MOUNTED_LOGIN_OPTIONS,
    type: oneOf('gce', 'iam'),
    role: nonEmptyString,
    serviceAccount: nonEmptyString,
    credentials: checkCredential,
    accessToken: checkCredential,
    iamEndpoint: nonEmptyString,
    metadataEndpoint: nonEmptyString,
  },
  create: (auth) => {
    assertNoForeignOptions(auth, auth.type ?? 'gce', { gce: [], iam: ['credentials', 'accessToken', 'iamEndpoint'] });
    return new GcpLogin(requireOptions(auth, 'role'));
  },
};
