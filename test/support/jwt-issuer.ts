import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';

/** Signs JWTs with a key of its own. */
export interface JwtIssuer {
  /** PEM, as `jwt_validation_pubkeys` takes it. */
  readonly publicKey: string;
  /** The public key, as a JWKS lists it. */
  readonly jwk: object;
  /** A JWT that is valid from now on for five minutes, unless the claims say otherwise. Claims that are `undefined` are left out. */
  sign(claims: Record<string, unknown>): string;
}

export const seconds = (fromNow = 0): number => Math.floor(Date.now() / 1000) + fromNow;

export function createJwtIssuer(): JwtIssuer {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kid = randomUUID();
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' },
    sign: (claims) => {
      const body = { iat: seconds(), nbf: seconds(), exp: seconds(300), ...claims };
      const text = `${encode({ alg: 'RS256', typ: 'JWT', kid })}.${encode(body)}`;
      return `${text}.${sign('RSA-SHA256', Buffer.from(text), privateKey).toString('base64url')}`;
    },
  };
}
