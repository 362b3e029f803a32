import { sign as signWithKey, verify } from 'node:crypto';
import aws4 from 'aws4';
import type { FaultHandler } from '../fault-server.js';
import { answer, json } from '../fault-server.js';
import type { LoginBody } from './cloud-login.js';

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface ExpectedIdentity {
  readonly keys: Keys;
  readonly role?: string;
  readonly serverId?: string;
  readonly region?: string;
  readonly url?: string;
}

const BODY = 'Action=GetCallerIdentity&Version=2011-06-15';
const ALLOWED = ['x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'];
const decode = (text: string | undefined) => Buffer.from(text ?? '', 'base64').toString('utf8');

/**
 * Does what Vault and STS do with an IAM login, with a signer of other people: the parts that Vault looks at first, then
 * the signature made once more from what was sent. Returns the reason of a refusal, in AWS's manner: it quotes the request.
 */
export function checkIamLogin(body: LoginBody, expected: ExpectedIdentity): string | undefined {
  const { keys, role, serverId, region = 'us-east-1', url = 'https://sts.amazonaws.com/' } = expected;
  if (body['role'] !== role) return 'no such role';
  if (body['iam_http_request_method'] !== 'POST') return 'method';
  if (decode(body['iam_request_url']) !== url) return `url ${decode(body['iam_request_url'])}`;
  if (decode(body['iam_request_body']) !== BODY) return 'body';
  const sent = JSON.parse(decode(body['iam_request_headers'])) as Record<string, string>;
  const headers = Object.fromEntries(Object.entries(sent).map(([name, value]) => [name.toLowerCase(), value]));
  const { authorization = '' } = headers;
  const signed = (/SignedHeaders=([^,]+)/.exec(authorization)?.[1] ?? '').split(';');
  for (const name in headers)
    if (name.startsWith('x-amz-') && !ALLOWED.includes(name)) return `invalid request header: ${name}`;
  if (serverId !== undefined) {
    if (headers['x-vault-aws-iam-server-id'] !== serverId) return `expected iam server id ${serverId}`;
    if (!signed.includes('x-vault-aws-iam-server-id')) return 'the server id is not signed';
  }
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(headers['x-amz-date'] ?? '') ?? [];
  const age = Date.now() - Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (!(Math.abs(age) < 15 * 60_000)) return 'signature expired';
  const request = {
    service: 'sts',
    region,
    method: 'POST',
    path: new URL(url).pathname,
    host: new URL(url).host,
    headers: Object.fromEntries(signed.map((name) => [name, headers[name]])),
    // Which it would add; its types do not know this.
    extraHeadersToIgnore: { 'content-length': true },
    body: BODY,
  };
  const again = aws4.sign(request, keys);
  if ((again.headers as Record<string, string>)['Authorization'] === authorization) return undefined;
  const canonical = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
  return `error making upstream request: received error code 403 from STS: SignatureDoesNotMatch. The Canonical String should have been 'POST\n/\n\n${canonical.join('\n')}'`;
}

const SESSION = 'metadata-session-token-of-the-stand-in';

/** The instance metadata service, version 2 only: no session token, no answer. */
export function ec2Metadata(options: {
  readonly privateKey: string;
  readonly keys?: Keys;
  readonly document?: string;
}): FaultHandler {
  const { document = '{\n  "instanceId" : "i-0123456789",\n  "region" : "eu-central-1"\n}', keys } = options;
  const signature = signWithKey('sha256', Buffer.from(document), options.privateKey).toString('base64');
  const lines = signature.replace(/.{64}/g, '$&\n');
  const pages: Readonly<Record<string, string>> = {
    '/latest/dynamic/instance-identity/document': document,
    '/latest/dynamic/instance-identity/signature': lines,
    '/latest/dynamic/instance-identity/pkcs7': `PKCS7\n${lines}`,
    '/latest/dynamic/instance-identity/rsa2048': `RSA2048\n${lines}`,
    '/latest/meta-data/iam/security-credentials/': 'instance-role',
    '/latest/meta-data/iam/security-credentials/instance-role': JSON.stringify({
      Code: 'Success',
      Type: 'AWS-HMAC',
      AccessKeyId: keys?.accessKeyId,
      SecretAccessKey: keys?.secretAccessKey,
      Token: keys?.sessionToken,
      Expiration: new Date(Date.now() + 3_600_000).toISOString(),
    }),
  };
  return (request, response) => {
    if (request.method === 'PUT' && request.url === '/latest/api/token') {
      const given = Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds']);
      return answer(given >= 1 && given <= 21_600 ? 200 : 400, {}, SESSION)(request, response);
    }
    if (request.headers['x-aws-ec2-metadata-token'] !== SESSION) return answer(401)(request, response);
    const page = request.method === 'GET' ? pages[request.url] : undefined;
    return answer(page === undefined ? 404 : 200, {}, page)(request, response);
  };
}

/** Does what Vault does with an EC2 login: is the document signed, and is it the same client as before? */
export function ec2Gate(publicKey: string): (body: LoginBody) => string | undefined {
  let nonce: string | undefined;
  return (body) => {
    const { identity, signature, pkcs7 } = body;
    if ((identity === undefined) === (pkcs7 === undefined)) return 'either pkcs7 or identity';
    if (pkcs7 !== undefined && !/^(PKCS7|RSA2048)[A-Za-z0-9+/=]+$/.test(pkcs7))
      return 'failed to parse the PKCS#7 data';
    const document = Buffer.from(identity ?? '', 'base64');
    if (identity !== undefined && !verify('sha256', document, publicKey, Buffer.from(signature ?? '', 'base64')))
      return 'the identity document is not signed';
    if (!body['nonce']) return 'no nonce';
    if (nonce !== undefined && body['nonce'] !== nonce) return 'client nonce mismatch';
    nonce = body['nonce'];
    return undefined;
  };
}

/** STS, as far as web identity needs it: a role for a token. */
export function stsForWebIdentity(keys: Keys, token: () => string): FaultHandler {
  return (request, response) => {
    const form = new URLSearchParams(request.body);
    if (form.get('Action') !== 'AssumeRoleWithWebIdentity' || form.get('WebIdentityToken') !== token())
      return answer(403, { 'content-type': 'text/xml' }, STS_ERROR)(request, response);
    const until = new Date(Date.now() + 3_600_000).toISOString();
    return answer(
      200,
      { 'content-type': 'text/xml' },
      `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
        <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/app/x</Arn><AssumedRoleId>A:x</AssumedRoleId></AssumedRoleUser>
        <Credentials><AccessKeyId>${keys.accessKeyId}</AccessKeyId><SecretAccessKey>${keys.secretAccessKey}</SecretAccessKey>
        <SessionToken>${keys.sessionToken}</SessionToken><Expiration>${until}</Expiration></Credentials>
      </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
    )(request, response);
  };
}

const STS_ERROR =
  '<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>no</Message></Error></ErrorResponse>';

/** The credentials service of ECS. */
export function ecsCredentials(keys: Keys, authorization: string): FaultHandler {
  return (request, response) => {
    if (request.headers.authorization !== authorization) return answer(401)(request, response);
    return json(200, {
      AccessKeyId: keys.accessKeyId,
      SecretAccessKey: keys.secretAccessKey,
      Token: keys.sessionToken,
      Expiration: new Date(Date.now() + 3_600_000).toISOString(),
    })(request, response);
  };
}
