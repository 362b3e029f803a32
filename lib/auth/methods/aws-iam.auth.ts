import type { VaultClient } from '../../client/vault-client.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { checkAddress } from './cloud/address.js';
import type { AwsCredentialSource } from './cloud/aws-credentials.js';
import { resolveAwsCredentials } from './cloud/aws-credentials.js';
import { signCallerIdentity } from './cloud/sign-caller-identity.js';
import type { Login, LoginMethod } from '../login-method.js';
import type { MountedLoginOptions } from '../login.options.js';
import { mountOf } from '../login.options.js';
import { submitLogin } from '../submit-login.js';

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
      secrets: [
        credentials.secretAccessKey,
        credentials.sessionToken ?? '',
        ...Object.values(signed.headers).flatMap((value) => /Signature=(\w+)/.exec(value)?.[1] ?? []),
      ],
      options: this.#options,
      advice:
        'Check "auth.role" and its bound_iam_principal_arn, "auth.serverId" against iam_server_id_header_value of the server, ' +
        '"auth.region" against its sts_region, and the clock of this machine.',
      signal,
    });
  }
}

function defaultEndpoint(region: string | undefined): string {
  if (region === undefined) return 'https://sts.amazonaws.com';
  return `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
