import { sign } from 'node:crypto';
import type { FaultHandler } from '../fault-server.js';
import { answer, json } from '../fault-server.js';
import type { LoginBody } from './cloud-login.js';
import { readJwt } from './cloud-login.js';

export const ACCOUNT = 'app@project.iam.gserviceaccount.com';
const KEY_ID = 'key-of-google';

function jwt(payload: object, privateKey: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'RS256', typ: 'JWT', kid: KEY_ID })}.${part(payload)}`;
  return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
}

/** The metadata server: asks for its header, and sends its own. */
export function gcpMetadata(privateKey: string, accessToken = 'access-token-of-the-stand-in'): FaultHandler {
  const google = { 'metadata-flavor': 'Google' };
  return (request, response) => {
    if (request.headers['metadata-flavor'] !== 'Google') return answer(403)(request, response);
    const url = new URL(request.url, 'http://metadata');
    const [, account, what] =
      /^\/computeMetadata\/v1\/instance\/service-accounts\/([^/]+)\/(\w+)$/.exec(url.pathname) ?? [];
    if (account !== 'default' && account !== encodeURIComponent(ACCOUNT)) return answer(404, google)(request, response);
    if (what === 'email') return answer(200, google, `${ACCOUNT}\n`)(request, response);
    if (what === 'token') return json(200, { access_token: accessToken, expires_in: 3599 }, google)(request, response);
    const aud = url.searchParams.get('audience');
    if (what !== 'identity' || !aud) return answer(400, google)(request, response);
    const full = url.searchParams.get('format') === 'full';
    const payload = {
      aud,
      sub: '1234567890',
      email: ACCOUNT,
      exp: Math.floor(Date.now() / 1000) + 3_600,
      ...(full && { google: { compute_engine: { project_id: 'project', zone: 'z', instance_id: '1' } } }),
    };
    return answer(200, google, jwt(payload, privateKey))(request, response);
  };
}

/** The IAM Credentials service: signs what it is given, for who may ask. */
export function iamCredentials(privateKey: string, accessToken: string): FaultHandler {
  return (request, response) => {
    if (request.headers.authorization !== `Bearer ${accessToken}`) {
      const error = { code: 403, message: `Permission denied for ${request.headers.authorization}` };
      return json(403, { error })(request, response);
    }
    const path = `/v1/projects/-/serviceAccounts/${encodeURIComponent(ACCOUNT)}:signJwt`;
    if (request.method !== 'POST' || request.url !== path) return answer(404)(request, response);
    const { payload } = JSON.parse(request.body) as { payload: string };
    return json(200, { keyId: KEY_ID, signedJwt: jwt(JSON.parse(payload) as object, privateKey) })(request, response);
  };
}

/** A key file as Google Cloud hands it out. */
export function keyFile(privateKey: string, more: object = {}): string {
  const file = { type: 'service_account', client_email: ACCOUNT, private_key_id: KEY_ID, private_key: privateKey };
  return JSON.stringify({ ...file, ...more }, undefined, 2);
}

/** Does what Vault does with a login for a role of one of the two types. */
export function checkGcpLogin(
  body: LoginBody,
  role: { readonly name: string; readonly type: 'gce' | 'iam'; readonly publicKey: string },
): string | undefined {
  if (body['role'] !== role.name) return 'no such role';
  const read = readJwt(body['jwt'], role.publicKey);
  if (!read || read.header['kid'] !== KEY_ID || read.header['alg'] !== 'RS256') return `invalid JWT ${body['jwt']}`;
  const { aud, exp, sub, google } = read.payload;
  if (typeof aud !== 'string' || !aud.endsWith(`vault/${role.name}`))
    return `audience claim does not match: ${String(aud)}`;
  const left = Number(exp) - Date.now() / 1000;
  if (!(left > 0)) return 'token is expired';
  if (role.type === 'gce') return google === undefined ? 'expected JWT to have claims with GCE metadata' : undefined;
  if (left > 15 * 60) return 'role requires that service account JWTs must expire within 900 seconds';
  return sub === ACCOUNT ? undefined : 'service account is not authorized';
}
