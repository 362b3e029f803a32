import { createPrivateKey, sign } from 'node:crypto';
import { VaultAuthenticationError, VaultInvalidOptionError } from '../../errors/index.js';
import type { Credential } from '../credential.js';
import { describeCredential, resolveCredential } from '../credential.js';
import { requestMetadata, joinUrl, parseAddress, readField, readObject } from './metadata.js';
import type { MetadataRequest } from './metadata.js';

const ACCOUNTS_PATH = '/computeMetadata/v1/instance/service-accounts';
const FLAVOR_HEADER = { 'metadata-flavor': 'Google' };

/** Client of the metadata server of Google Cloud. @internal */
export class GcpMetadata {
  readonly #given: string | undefined;
  readonly #signal: AbortSignal | undefined;

  /** @param address option `metadataEndpoint`; default: `GCE_METADATA_HOST`, else the name Google gives it */
  constructor(address: string | undefined, signal: AbortSignal | undefined) {
    this.#given = address;
    this.#signal = signal;
  }

  /** Fetches an identity token of a service account and this instance, for one audience. */
  async identityToken(serviceAccount: string, audience: string): Promise<string> {
    return this.#text('get an identity token', serviceAccount, 'identity', { audience, format: 'full' });
  }

  /** Fetches an access token of the service account for Google's APIs. */
  async accessToken(): Promise<string> {
    const request = this.#request('get an access token', 'default', 'token');
    return readField(readObject(await this.#ask(request), request), 'access_token', request);
  }

  async email(): Promise<string> {
    return this.#text('read the name of the service account', 'default', 'email');
  }

  async #text(operation: string, account: string, what: string, query = {}): Promise<string> {
    return (await this.#ask(this.#request(operation, account, what, query))).text.trim();
  }

  /** A response without the header is not from the metadata server but, for example, from a captive portal or a proxy. */
  async #ask(request: MetadataRequest) {
    const answer = await requestMetadata(request);
    if (answer.headers['metadata-flavor']?.toLowerCase() === 'google') return answer;
    throw new VaultAuthenticationError(
      `Cannot ${request.operation} from ${request.service} at ${request.url.origin}: something else responded there: it has no header "Metadata-Flavor: Google". ${request.unreachableAdvice}`,
      { operation: request.operation, endpoint: request.url.origin },
    );
  }

  #request(operation: string, account: string, what: string, query = {}): MetadataRequest {
    return {
      operation,
      service: 'the metadata server of Google Cloud',
      url: joinUrl(this.#address(), `${ACCOUNTS_PATH}/${encodeURIComponent(account)}/${what}`, query),
      headers: FLAVOR_HEADER,
      unreachableAdvice:
        'This is not running on Google Cloud, or metadata is blocked (on GKE by a network policy). Elsewhere use type "iam" with "auth.credentials".',
      rejectedAdvice:
        'Check that the instance or pod has a service account, and that "auth.serviceAccount" names one of its own.',
      signal: this.#signal,
    };
  }

  #address(): URL {
    if (this.#given !== undefined) return parseAddress(this.#given, '"auth.metadataEndpoint"');
    const host = process.env['GCE_METADATA_HOST'];
    if (!host) return new URL('http://metadata.google.internal');
    return parseAddress(/^https?:/.test(host) ? host : `http://${host}`, 'GCE_METADATA_HOST');
  }
}

/** Long enough for a slow login, and below any `max_jwt_exp` in use. */
const LIFETIME_SECONDS = 300;
const GOOGLE = 'https://iamcredentials.googleapis.com';

/** Options of a JWT signed by a service account. @internal */
export interface SignedJwtOptions {
  readonly audience: string;
  readonly serviceAccount: string | undefined;
  readonly credentials: Credential | undefined;
  readonly accessToken: Credential | undefined;
  readonly iamEndpoint: string | undefined;
  readonly metadataEndpoint: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Creates a JWT signed by a service account: with its key file from the options or `GOOGLE_APPLICATION_CREDENTIALS`, or by
 * Google's IAM Credentials service with an access token.
 *
 * @throws VaultAuthenticationError
 * @see https://developer.hashicorp.com/vault/docs/auth/gcp#iam-login
 * @internal
 */
export async function createSignedJwt(options: SignedJwtOptions): Promise<string> {
  const { audience, serviceAccount, accessToken } = options;
  const payload = (subject: string) => ({
    sub: subject,
    aud: audience,
    exp: Math.floor(Date.now() / 1000) + LIFETIME_SECONDS,
  });
  const file = process.env['GOOGLE_APPLICATION_CREDENTIALS'];
  const credentials = options.credentials ?? (accessToken === undefined && file ? { file } : undefined);
  if (credentials !== undefined) {
    const key = await readServiceAccountKey(credentials);
    if (serviceAccount === undefined || serviceAccount === key.email) return signJwt(payload(key.email), key);
    throw new VaultInvalidOptionError(
      `"auth.serviceAccount" is ${JSON.stringify(serviceAccount)}, and the key file belongs to another account. Leave the option out, or give the key file of that account.`,
    );
  }
  const metadata = new GcpMetadata(options.metadataEndpoint, options.signal);
  const [token, email] = await Promise.all([
    accessToken === undefined ? metadata.accessToken() : resolveCredential(accessToken, 'auth.accessToken'),
    serviceAccount ?? metadata.email(),
  ]);
  return signWithIamCredentials(payload(email), email, token, options);
}

async function signWithIamCredentials(
  payload: object,
  email: string,
  token: string,
  { iamEndpoint, signal }: SignedJwtOptions,
): Promise<string> {
  const request: MetadataRequest = {
    operation: `have a JWT signed for ${email}`,
    service: 'the IAM Credentials service of Google Cloud',
    method: 'POST',
    url: joinUrl(
      iamEndpoint === undefined ? new URL(GOOGLE) : parseAddress(iamEndpoint, '"auth.iamEndpoint"'),
      `/v1/projects/-/serviceAccounts/${encodeURIComponent(email)}:signJwt`,
    ),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ payload: JSON.stringify(payload) }),
    unreachableAdvice: 'Check that this machine may reach it directly (no proxy is used), and "auth.iamEndpoint".',
    rejectedAdvice:
      'Enable the IAM Service Account Credentials API, and give the account that asks the role "Service Account Token Creator" on the account that signs.',
    secrets: [token],
    signal,
  };
  return readField(readObject(await requestMetadata(request), request), 'signedJwt', request);
}

/** The fields used of a service account key file. @internal */
export interface ServiceAccountKey {
  readonly email: string;
  readonly keyId: string;
  readonly privateKey: string;
}

/**
 * Reads a key file as Google Cloud issues it.
 *
 * @throws VaultAuthenticationError if it is not a key file, without its content
 * @internal
 */
export async function readServiceAccountKey(credentials: Credential): Promise<ServiceAccountKey> {
  const text = await resolveCredential(credentials, 'auth.credentials');
  const refuse = (why: string) =>
    new VaultAuthenticationError(`"auth.credentials": ${describeCredential(credentials)} ${why}`);
  let file: Record<string, unknown>;
  try {
    file = Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    throw refuse('is not JSON. Give the key file of a service account.');
  }
  const { type, client_email: email, private_key_id: keyId, private_key: privateKey } = file;
  if (type === 'authorized_user' || type === 'external_account' || type === 'impersonated_service_account') {
    throw refuse(
      `is of type "${type}", which cannot sign. Give the key file of a service account; ` +
        'or an access token made from this one (google-auth-library does that) in "auth.accessToken", and "auth.serviceAccount".',
    );
  }
  for (const [field, value] of Object.entries({ client_email: email, private_key_id: keyId, private_key: privateKey }))
    if (typeof value !== 'string' || value === '')
      throw refuse(`has no "${field}". Give the whole key file of a service account.`);
  return { email, keyId, privateKey } as ServiceAccountKey;
}

/**
 * A JWT signed with such a key (RS256).
 * @throws VaultAuthenticationError when the key is not an RSA key
 * @internal
 */
export function signJwt(payload: Readonly<Record<string, unknown>>, { keyId, privateKey }: ServiceAccountKey): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${part({ alg: 'RS256', typ: 'JWT', kid: keyId })}.${part(payload)}`;
  try {
    const key = createPrivateKey(privateKey);
    if (key.asymmetricKeyType === 'rsa')
      return `${unsigned}.${sign('sha256', Buffer.from(unsigned), key).toString('base64url')}`;
  } catch {
    // OpenSSL's message does not help and might quote the key.
  }
  throw new VaultAuthenticationError(
    '"auth.credentials": the "private_key" in it is not a usable RSA key. Create a new key for the service account.',
  );
}
