import { createPrivateKey, sign } from 'node:crypto';
import { VaultAuthenticationError } from '../../../errors/index.js';
import type { Credential } from '../../credential.js';
import { describeCredential, resolveCredential } from '../../credential.js';

/** The part of a Google service account key file that is used. @internal */
export interface ServiceAccountKey {
  readonly email: string;
  readonly keyId: string;
  readonly privateKey: string;
}

/**
 * Reads a key file as Google Cloud issues it.
 *
 * @throws VaultAuthenticationError when it is none; nothing of its content is repeated
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
    // OpenSSL's words would not help, and might quote the key.
  }
  throw new VaultAuthenticationError(
    '"auth.credentials": the "private_key" in it is not a usable RSA key. Create a new key for the service account.',
  );
}
