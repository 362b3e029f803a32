import { randomUUID } from 'node:crypto';
import type { Requester } from '../../client/vault-client.js';
import { VaultAuthenticationError, VaultInvalidOptionError } from '../../errors/index.js';
import { headerText, nonEmptyString, oneOf, assertNoForeignOptions } from '../../options/check-options.js';
import type { Credential } from '../credential.js';
import { checkCredential, resolveCredential } from '../credential.js';
import type { Login, LoginMethod, LoginMethodDefinition, MountedLoginOptions } from '../login.js';
import { MOUNTED_LOGIN_OPTIONS, authMountPath } from '../login.js';
import { submitLogin } from '../submit-login.js';
import { requestMetadata, joinUrl, parseAddress } from './metadata.js';
import type { AwsCredentialSource } from './aws-credentials.js';
import { checkAwsCredentials, resolveAwsCredentials } from './aws-credentials.js';
import type { MetadataRequest } from './metadata.js';
import { signCallerIdentity } from './aws-signature.js';

const OPTIONS_BY_TYPE = {
  iam: ['serverId', 'region', 'stsEndpoint', 'credentials'],
  ec2: ['signature', 'nonce', 'metadataEndpoint'],
} as const;

/** @internal */
export const aws: LoginMethodDefinition<AwsIamAuth | AwsEc2Auth> = {
  shape: {
    ...MOUNTED_LOGIN_OPTIONS,
    type: oneOf('iam', 'ec2'),
    role: nonEmptyString,
    serverId: (value) => nonEmptyString(value) ?? headerText(value),
    region: (value) =>
      /^[a-z]{2,}(-[a-z]+)+-\d+$/.test(String(value)) ? undefined : 'a region such as "eu-central-1"',
    stsEndpoint: nonEmptyString,
    credentials: checkAwsCredentials,
    signature: oneOf('pkcs7', 'rsa2048', 'identity'),
    nonce: checkCredential,
    metadataEndpoint: nonEmptyString,
  },
  // Variables that the AWS SDK's standard chain reads.
  platformVariables: ({ type, ...auth }) =>
    type === 'ec2' || ('credentials' in auth && auth.credentials !== undefined)
      ? []
      : ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_CONTAINER_AUTHORIZATION_TOKEN'],
  create: (auth) => {
    assertNoForeignOptions(auth, auth.type ?? 'iam', OPTIONS_BY_TYPE);
    return auth.type === 'ec2' ? new AwsEc2Login(auth) : new AwsIamLogin(auth);
  },
};

/**
 * An IAM principal: the role of a pod, task, function or instance, or a user. The proof is a signed
 * `sts:GetCallerIdentity` request, signed again at every login. Requires the package `@smithy/signature-v4`, and
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
    this.#mountPath = authMountPath('aws', options);
    this.#region = options.region ?? 'us-east-1';
    this.#endpoint = parseAddress(options.stsEndpoint ?? defaultStsEndpoint(options.region), '"auth.stsEndpoint"');
    if (this.#endpoint.search !== '' || this.#endpoint.hash !== '')
      throw new VaultInvalidOptionError('"auth.stsEndpoint" has a query or a fragment. Give scheme, host and port.');
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
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
      // For an invalid signature, AWS quotes the request in its error, which the server forwards.
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

function defaultStsEndpoint(region: string | undefined): string {
  if (region === undefined) return 'https://sts.amazonaws.com';
  return `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/**
 * An EC2 instance. The proof is its signed identity document.
 * @see https://developer.hashicorp.com/vault/api-docs/auth/aws#login
 * @publicApi
 */
export interface AwsEc2Auth extends MountedLoginOptions {
  readonly method: 'aws';
  readonly type: 'ec2';
  /** Default: the server takes the role with the name of the machine image. */
  readonly role?: string;
  /** Form of the signed identity document. Default: `pkcs7`. */
  readonly signature?: 'pkcs7' | 'rsa2048' | 'identity';
  /**
   * Nonce of the first login of the instance, which Vault requires for every later login. Default: a nonce is created
   * at start and kept in memory, so that the login of a restarted process is refused. Set a nonce that outlives the
   * restart.
   */
  readonly nonce?: Credential;
  /** Address of the instance metadata service. Default: as for the AWS SDKs, else `http://169.254.169.254`. */
  readonly metadataEndpoint?: string;
}

/** @internal */
export class AwsEc2Login implements LoginMethod {
  readonly method = 'aws';
  readonly #options: AwsEc2Auth;
  readonly #mountPath: string;
  readonly #ownNonce = randomUUID();

  constructor(options: AwsEc2Auth) {
    this.#options = options;
    this.#mountPath = authMountPath('aws', options);
    if (options.metadataEndpoint !== undefined) parseAddress(options.metadataEndpoint, '"auth.metadataEndpoint"');
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
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

/** Login fields that prove the identity of the instance. @internal */
export type Ec2Proof = { readonly pkcs7: string } | { readonly identity: string; readonly signature: string };

const IDENTITY_PATH = '/latest/dynamic/instance-identity';

/**
 * Fetches the signed identity document of this machine, with a session token of the metadata service (IMDSv2).
 *
 * @param address option `metadataEndpoint`; default: as the AWS SDKs read it from the environment
 * @throws VaultAuthenticationError when this is not an EC2 instance, or its metadata service is off
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
 * @internal
 */
export async function fetchEc2Proof(
  signature: 'pkcs7' | 'rsa2048' | 'identity',
  address: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Ec2Proof> {
  const service = metadataAddress(address);
  const common = {
    service: 'the EC2 instance metadata service',
    unreachableAdvice:
      'This is not running on an EC2 instance, or metadata is blocked. In a container the hop limit of the service has to be 2: ' +
      'aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2. Elsewhere use type "iam".',
    rejectedAdvice:
      'Check that this is an EC2 instance whose metadata service is enabled, and the address in "auth.metadataEndpoint".',
    signal,
  };
  const session: MetadataRequest = {
    ...common,
    operation: 'open a metadata session',
    method: 'PUT',
    url: joinUrl(service, '/latest/api/token'),
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60', 'content-length': '0' },
  };
  const token = (await requestMetadata(session)).text.trim();
  const read = async (name: string): Promise<string> => {
    const { text } = await requestMetadata({
      ...common,
      operation: `read the ${name === 'document' ? 'identity document' : `${name} signature`} of this instance`,
      url: joinUrl(service, `${IDENTITY_PATH}/${name}`),
      headers: { 'x-aws-ec2-metadata-token': token },
      secrets: [token],
    });
    return text;
  };
  // Vault accepts both PKCS#7 signatures in the same field, without line breaks.
  if (signature !== 'identity') return { pkcs7: removeWhitespace(await read(signature)) };
  const [document, proof] = await Promise.all([read('document'), read('signature')]);
  // Encoded byte for byte, because the signature covers exactly this text.
  return { identity: Buffer.from(document).toString('base64'), signature: removeWhitespace(proof) };
}

function metadataAddress(given: string | undefined): URL {
  if (given !== undefined) return parseAddress(given, '"auth.metadataEndpoint"');
  const { AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT, AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE } =
    process.env;
  if (AWS_EC2_METADATA_DISABLED?.toLowerCase() === 'true') {
    throw new VaultAuthenticationError(
      'Cannot log in with "aws" of type "ec2": AWS_EC2_METADATA_DISABLED forbids to ask the instance metadata service. Unset it, or use type "iam".',
    );
  }
  if (AWS_EC2_METADATA_SERVICE_ENDPOINT)
    return parseAddress(AWS_EC2_METADATA_SERVICE_ENDPOINT, 'AWS_EC2_METADATA_SERVICE_ENDPOINT');
  return new URL(
    AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE?.toLowerCase() === 'ipv6'
      ? 'http://[fd00:ec2::254]'
      : 'http://169.254.169.254',
  );
}

function removeWhitespace(text: string): string {
  return text.replace(/\s+/g, '');
}
