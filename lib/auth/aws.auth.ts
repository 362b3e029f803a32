import { randomUUID } from 'node:crypto';
import type { VaultClient } from '../client/vault-client.js';
import { headerText } from '../bootstrap/check-options.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import { checkAddress } from './cloud/address.js';
import type { AwsCredentialSource } from './cloud/aws-credentials.js';
import { checkAwsCredentials, resolveAwsCredentials } from './cloud/aws-credentials.js';
import { fetchEc2Proof } from './cloud/ec2-identity.js';
import { name, oneOf, refuseOthers } from './cloud/option-checks.js';
import { signCallerIdentity } from './cloud/sign-caller-identity.js';
import type { Credential } from './credential.js';
import { checkCredential, resolveCredential } from './credential.js';
import type { Login, LoginKind, LoginMethod } from './login-method.js';
import type { MountedLoginOptions } from './login.options.js';
import { MOUNTED, mountOf } from './login.options.js';
import { submitLogin } from './submit-login.js';

/**
 * An IAM principal: the role of a pod, task, function or instance, or a user. It is proved with a signed
 * `sts:GetCallerIdentity` request, which is signed anew at every login. Needs the package `@smithy/signature-v4`, and
 * without `credentials` also `@aws-sdk/credential-provider-node`.
 * @see https://developer.hashicorp.com/vault/api-docs/auth/aws#login
 * @publicApi
 */
export interface AwsIamAuth extends MountedLoginOptions {
  readonly method: 'aws';
  /** Default: `iam`. */
  readonly type?: 'iam';
  /** Default: the server takes the role with the name of the principal. */
  readonly role?: string;
  /** Value of the signed header `X-Vault-AWS-IAM-Server-ID`; the server's `iam_header_value`. Default: no such header. */
  readonly serverId?: string;
  /** Region of STS. Default: `us-east-1` with the global address. */
  readonly region?: string;
  /** Address of STS. Default: `https://sts.amazonaws.com`; with `region` the one of that region. */
  readonly stsEndpoint?: string;
  /** Default: the AWS SDK's standard chain (environment, files, web identity, ECS, EC2). */
  readonly credentials?: AwsCredentialSource;
}

/**
 * An EC2 instance, proved with its signed identity document.
 * @see https://developer.hashicorp.com/vault/api-docs/auth/aws#login
 * @publicApi
 */
export interface AwsEc2Auth extends MountedLoginOptions {
  readonly method: 'aws';
  readonly type: 'ec2';
  /** Default: the server takes the role with the name of the machine image. */
  readonly role?: string;
  /** What to prove the identity with. Default: `pkcs7`. */
  readonly signature?: 'pkcs7' | 'rsa2048' | 'identity';
  /**
   * Tells the server that it is still the same client: an instance that has logged in once is let in again only with the same
   * one. Default: one is made at start and kept in memory, so that a restarted application is refused, unless the role has
   * `disallow_reauthentication` off and this option names one that outlives the restart.
   */
  readonly nonce?: Credential;
  /** Address of the instance metadata service. Default: as for the AWS SDKs, else `http://169.254.169.254`. */
  readonly metadataEndpoint?: string;
}

/** @internal */
export class AwsIamLogin implements LoginMethod {
  readonly method = 'aws';
  readonly #options: AwsIamAuth;
  readonly #mountPath: string;
  readonly #region: string;
  readonly #endpoint: URL;

  constructor(options: AwsIamAuth) {
    this.#options = options;
    this.#mountPath = mountOf('aws', options);
    this.#region = options.region ?? 'us-east-1';
    this.#endpoint = checkAddress(options.stsEndpoint ?? defaultEndpoint(options.region), '"auth.stsEndpoint"');
    if (this.#endpoint.search !== '' || this.#endpoint.hash !== '')
      throw new VaultInvalidOptionError('"auth.stsEndpoint" has a query or a fragment. Give scheme, host and port.');
  }

  async login(client: VaultClient, signal?: AbortSignal): Promise<Login> {
    const { role, serverId } = this.#options;
    const credentials = await resolveAwsCredentials(this.#options.credentials, signal);
    const signed = await signCallerIdentity({
      credentials,
      region: this.#region,
      endpoint: this.#endpoint,
      serverId,
    });
    return submitLogin(client, {
      method: 'aws',
      mountPath: this.#mountPath,
      path: 'login',
      body: {
        ...(role !== undefined && { role }),
        iam_http_request_method: signed.method,
        iam_request_url: base64(signed.url),
        iam_request_body: base64(signed.body),
        iam_request_headers: base64(JSON.stringify(signed.headers)),
      },
      // AWS explains a wrong signature by quoting the request, and the server passes that on.
      secrets: [credentials.secretAccessKey, credentials.sessionToken ?? '', ...Object.values(signed.headers)],
      options: this.#options,
      advice:
        'Check "auth.role" and its bound_iam_principal_arn, "auth.serverId" against iam_server_id_header_value of the server, ' +
        '"auth.region" against its sts_region, and the clock of this machine.',
      signal,
    });
  }
}

/** @internal */
export class AwsEc2Login implements LoginMethod {
  readonly method = 'aws';
  readonly #options: AwsEc2Auth;
  readonly #mountPath: string;
  readonly #ownNonce = randomUUID();

  constructor(options: AwsEc2Auth) {
    this.#options = options;
    this.#mountPath = mountOf('aws', options);
    if (options.metadataEndpoint !== undefined) checkAddress(options.metadataEndpoint, '"auth.metadataEndpoint"');
  }

  async login(client: VaultClient, signal?: AbortSignal): Promise<Login> {
    const { role, signature = 'pkcs7', nonce, metadataEndpoint } = this.#options;
    const [proof, sentNonce] = await Promise.all([
      fetchEc2Proof(signature, metadataEndpoint, signal),
      nonce === undefined ? this.#ownNonce : resolveCredential(nonce, 'auth.nonce'),
    ]);
    return submitLogin(client, {
      method: 'aws',
      mountPath: this.#mountPath,
      path: 'login',
      body: { ...(role !== undefined && { role }), ...proof, nonce: sentNonce },
      options: this.#options,
      advice:
        'Check "auth.role" and what it is bound to. An instance that has logged in before needs the same "auth.nonce"; ' +
        'if that is lost, remove the instance from auth/<mount>/identity-accesslist.',
      signal,
    });
  }
}

const OPTIONS_OF = {
  iam: ['serverId', 'region', 'stsEndpoint', 'credentials'],
  ec2: ['signature', 'nonce', 'metadataEndpoint'],
} as const;

/** @internal */
export const aws: LoginKind<AwsIamAuth | AwsEc2Auth> = {
  shape: {
    ...MOUNTED,
    type: oneOf('iam', 'ec2'),
    role: name,
    serverId: (value) => name(value) ?? headerText(value),
    region: (value) =>
      /^[a-z]{2,}(-[a-z]+)+-\d+$/.test(String(value)) ? undefined : 'a region such as "eu-central-1"',
    stsEndpoint: name,
    credentials: checkAwsCredentials,
    signature: oneOf('pkcs7', 'rsa2048', 'identity'),
    nonce: checkCredential,
    metadataEndpoint: name,
  },
  create: (auth) => {
    refuseOthers(auth, auth.type ?? 'iam', OPTIONS_OF);
    return auth.type === 'ec2' ? new AwsEc2Login(auth) : new AwsIamLogin(auth);
  },
};

function defaultEndpoint(region: string | undefined): string {
  if (region === undefined) return 'https://sts.amazonaws.com';
  return `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
