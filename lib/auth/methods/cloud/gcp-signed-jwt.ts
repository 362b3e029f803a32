import { VaultInvalidOptionError } from '../../../errors/index.js';
import type { Credential } from '../../credential.js';
import { resolveCredential } from '../../credential.js';
import { below, checkAddress } from './address.js';
import { GcpMetadata } from './gcp-identity.js';
import type { MetadataRequest } from './metadata.js';
import { askMetadata, readField, readObject } from './metadata.js';
import { readServiceAccountKey, signJwt } from './service-account-key.js';

/** Long enough for a slow login, and below any `max_jwt_exp` in use. */
const LIFETIME_SECONDS = 300;
const GOOGLE = 'https://iamcredentials.googleapis.com';

/** What the JWT of a service account is made from. @internal */
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
 * A JWT that a service account signed about itself: here with its key file, or by Google's IAM Credentials service with
 * an access token. A key file comes from the options, else from `GOOGLE_APPLICATION_CREDENTIALS`.
 *
 * @throws VaultAuthenticationError
 * @see https://developer.hashicorp.com/vault/docs/auth/gcp#iam-login
 * @internal
 */
export async function makeSignedJwt(options: SignedJwtOptions): Promise<string> {
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
  return signedByGoogle(payload(email), email, token, options);
}

async function signedByGoogle(
  payload: object,
  email: string,
  token: string,
  { iamEndpoint, signal }: SignedJwtOptions,
): Promise<string> {
  const request: MetadataRequest = {
    operation: `have a JWT signed for ${email}`,
    service: 'the IAM Credentials service of Google Cloud',
    method: 'POST',
    url: below(
      iamEndpoint === undefined ? new URL(GOOGLE) : checkAddress(iamEndpoint, '"auth.iamEndpoint"'),
      `/v1/projects/-/serviceAccounts/${encodeURIComponent(email)}:signJwt`,
    ),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ payload: JSON.stringify(payload) }),
    absent: 'Check that this machine may reach it directly (no proxy is used), and "auth.iamEndpoint".',
    refused:
      'Enable the IAM Service Account Credentials API, and give the account that asks the role "Service Account Token Creator" on the account that signs.',
    secrets: [token],
    signal,
  };
  return readField(readObject(await askMetadata(request), request), 'signedJwt', request);
}
