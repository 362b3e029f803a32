import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { AwsEc2Auth, AwsIamAuth } from '../../lib/auth/methods/aws.auth.js';
import { renderError } from '../support/canary.js';
import type { ExpectedIdentity, Keys } from '../support/cloud/aws.js';
import { checkIamLogin, ec2Gate, ec2Metadata, ecsCredentials, stsForWebIdentity } from '../support/cloud/aws.js';
import type { LoginBody } from '../support/cloud/cloud-login.js';
import { useCloudBench } from '../support/cloud/cloud-bench.js';
import { cloudLogin } from '../support/cloud/cloud-login.js';
import { answer, freePort } from '../support/fault-server.js';

const cloud = useCloudBench();
const { standIn, use } = cloud;
const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const KEYS: Keys = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret/access+key' };
const TEMPORARY: Keys = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'other/key', sessionToken: 'session//token+==' };

function expecting(expected: ExpectedIdentity, tamper = (body: LoginBody) => body, mount = 'aws'): void {
  cloud.bench.front.answerWith(cloudLogin(cloud.bench, mount, (body) => checkIamLogin(tamper(body), expected)));
}
const open = (more: Partial<AwsIamAuth> = {}) => cloud.bench.open({ method: 'aws', ...more });
const openEc2 = (more: Partial<AwsEc2Auth> = {}) => cloud.bench.open({ method: 'aws', type: 'ec2', ...more });
const refusal = (message: RegExp, more: object = {}) => ({
  code: 'VAULT_AUTHENTICATION',
  message: expect.stringMatching(message) as unknown,
  ...more,
});
const logins = () => cloud.bench.sent('/login').map(({ body }) => JSON.parse(body) as Record<string, string>);

describe('aws iam signature', () => {
  it.each<[string, Partial<AwsIamAuth>, Partial<ExpectedIdentity>]>([
    ['with a role', { role: 'app' }, { role: 'app' }],
    ['without one', {}, {}],
    ['with a server id', { serverId: 'vault.example.com' }, { serverId: 'vault.example.com' }],
    [
      'for a region',
      { region: 'eu-central-1' },
      { region: 'eu-central-1', url: 'https://sts.eu-central-1.amazonaws.com/' },
    ],
    [
      'for a region in China',
      { region: 'cn-north-1' },
      { region: 'cn-north-1', url: 'https://sts.cn-north-1.amazonaws.com.cn/' },
    ],
    [
      'for an endpoint with a port',
      { stsEndpoint: 'https://sts.internal:8443' },
      { url: 'https://sts.internal:8443/' },
    ],
  ])('signature matches another implementation: %s', async (_, options, expected) => {
    for (const keys of [KEYS, TEMPORARY]) {
      expecting({ keys, ...expected });
      const session = await open({ credentials: () => keys, ...options });
      expect(session.state).toBe('active');
      expect(session.policies).toContain('app');
    }
  });

  it('signature of another key or another request is rejected', async () => {
    const serverId = 'vault.example.com';
    const change = (edit: (headers: Record<string, string>) => void) => (body: LoginBody) => {
      const text = Buffer.from(body['iam_request_headers'] ?? '', 'base64').toString('utf8');
      const headers = JSON.parse(text) as Record<string, string>;
      edit(headers);
      return { ...body, iam_request_headers: Buffer.from(JSON.stringify(headers)).toString('base64') };
    };
    const tampered: [ExpectedIdentity, (body: LoginBody) => LoginBody][] = [
      [{ keys: { ...KEYS, secretAccessKey: 'another' }, serverId }, (body) => body],
      [{ keys: KEYS, serverId: 'other' }, (body) => body],
      [{ keys: KEYS, serverId: 'other' }, change((headers) => (headers['X-Vault-AWS-IAM-Server-ID'] = 'other'))],
      [{ keys: KEYS, serverId }, change((headers) => (headers['content-type'] = 'text/plain'))],
      [{ keys: KEYS, serverId }, change((headers) => (headers['x-amz-date'] = '20200101T000000Z'))],
      [{ keys: KEYS, serverId, region: 'eu-west-1' }, (body) => body],
    ];
    for (const [expected, tamper] of tampered) {
      expecting(expected, tamper);
      await expect(open({ credentials: KEYS, serverId })).rejects.toMatchObject(
        refusal(/log in with aws \(auth\/aws\).*"auth\.serverId" against iam_server_id_header_value/s, {
          statusCode: 400,
        }),
      );
    }
  });

  it('login signs a new request with newly fetched credentials', async () => {
    let keys = KEYS;
    let asked = 0;
    cloud.bench.front.answerWith(cloudLogin(cloud.bench, 'aws', (body) => checkIamLogin(body, { keys })));
    const session = await open({ credentials: () => ((asked += 1), Promise.resolve(keys)) });
    keys = TEMPORARY;
    await session.relogin();
    expect(asked).toBe(2);
    const [first, second] = logins();
    expect(first?.['iam_request_headers']).not.toBe(second?.['iam_request_headers']);
  });

  it('login uses the configured mount and namespace', async () => {
    expecting({ keys: KEYS }, undefined, 'team/aws');
    const session = await open({ credentials: KEYS, mountPath: 'team/aws', namespace: 'org' });
    expect(await cloud.bench.alive(session.accessor, 'org')).toBe(true);
  });

  it('login error hides signature and credentials when AWS quotes the request', async () => {
    expecting({ keys: { ...TEMPORARY, secretAccessKey: 'another' } });
    const error = await open({ credentials: () => TEMPORARY }).catch((thrown: unknown) => thrown as Error);
    expect((error as Error).message).toContain('SignatureDoesNotMatch');
    const text = renderError(error);
    const sent = Buffer.from(logins()[0]?.['iam_request_headers'] ?? '', 'base64').toString('utf8');
    const { authorization = '' } = JSON.parse(sent) as Record<string, string>;
    const signature = authorization.split('Signature=')[1] as string;
    expect(signature).toMatch(/^[0-9a-f]{64}$/);
    for (const secret of [TEMPORARY.sessionToken, TEMPORARY.secretAccessKey, signature])
      expect(text).not.toContain(secret);
  });
});

describe('aws iam credentials', () => {
  it('login reads each part of the credentials from its own source', async () => {
    const file = join(cloud.folder, 'session-token');
    await writeFile(file, `${TEMPORARY.sessionToken}\n`);
    use({ MY_SECRET: TEMPORARY.secretAccessKey });
    expecting({ keys: TEMPORARY });
    const credentials = {
      accessKeyId: TEMPORARY.accessKeyId,
      secretAccessKey: { env: 'MY_SECRET' },
      sessionToken: { file },
    };
    expect((await open({ credentials })).state).toBe('active');
  });

  it('login reads credentials from the environment', async () => {
    use({ AWS_ACCESS_KEY_ID: KEYS.accessKeyId, AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey });
    expecting({ keys: KEYS });
    expect((await open()).state).toBe('active');
  });

  it('login reads the shared credentials file every time', async () => {
    const file = join(cloud.folder, 'credentials');
    const write = (keys: Keys) =>
      writeFile(file, `[app]\naws_access_key_id=${keys.accessKeyId}\naws_secret_access_key=${keys.secretAccessKey}\n`);
    use({ AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: 'app' });
    await write(KEYS);
    expecting({ keys: KEYS });
    const session = await open();
    const rotated = { accessKeyId: 'AKIAROTATED', secretAccessKey: 'rotated' };
    await write(rotated);
    expecting({ keys: rotated });
    await session.relogin();
    expect(logins()).toHaveLength(2);
  });

  it('login reads credentials of the instance role', async () => {
    const metadata = await standIn(ec2Metadata({ privateKey, keys: TEMPORARY }));
    use({ AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.endpoint, AWS_EC2_METADATA_DISABLED: 'false' });
    expecting({ keys: TEMPORARY });
    expect((await open()).state).toBe('active');
  });

  it('login reads credentials of the task role', async () => {
    const service = await standIn(ecsCredentials(TEMPORARY, 'task-token'));
    use({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${service.endpoint}/v2/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'task-token',
    });
    expecting({ keys: TEMPORARY });
    expect((await open()).state).toBe('active');
  });

  it('login reads credentials of the pod role with the current token file', async () => {
    const file = join(cloud.folder, 'web-identity');
    let token = 'first-token';
    const sts = await standIn(stsForWebIdentity(TEMPORARY, () => token));
    use({
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/app',
      AWS_WEB_IDENTITY_TOKEN_FILE: file,
      AWS_ENDPOINT_URL_STS: sts.endpoint,
      AWS_REGION: 'eu-central-1',
    });
    await writeFile(file, token);
    expecting({ keys: TEMPORARY });
    const session = await open();
    token = 'second-token';
    await writeFile(file, token);
    await session.relogin();
    expect(sts.requests).toHaveLength(2);
  });

  it('login error lists where credentials were searched', async () => {
    use({
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
      AWS_EC2_METADATA_DISABLED: 'false',
    });
    await expect(open()).rejects.toMatchObject(
      refusal(
        /AWS credentials \(\w+\)\. This is not running on AWS.*or the metadata service is blocked.*AWS_ACCESS_KEY_ID/s,
        {
          reason: 'aws-credentials-not-found',
        },
      ),
    );
    expect(cloud.bench.front.requests).toEqual([]);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['nothing', () => undefined, /gave no usable "accessKeyId"/],
    ['half', () => ({ accessKeyId: 'AKIAEXAMPLE' }), /gave no usable "secretAccessKey"/],
    ['a line break', () => ({ ...KEYS, sessionToken: 'a\nb' }), /gave no usable "sessionToken"/],
    [
      'an error with a secret in it',
      () => {
        throw new TypeError('SECRET-VALUE');
      },
      /the function that supplies it failed \(TypeError\)/,
    ],
  ])('login rejects credentials from a function that returns %s', async (_, credentials, message) => {
    const error = (await open({ credentials: credentials as () => Keys }).catch((thrown: unknown) => thrown)) as Error;
    expect(error).toMatchObject(refusal(message));
    expect(renderError(error)).not.toContain('SECRET-VALUE');
  });
});

describe('aws ec2', () => {
  it.each(['pkcs7', 'rsa2048', 'identity'] as const)('login proves the instance with %s', async (signature) => {
    const metadata = await standIn(ec2Metadata({ privateKey }));
    cloud.bench.front.answerWith(cloudLogin(cloud.bench, 'aws', ec2Gate(publicKey)));
    const session = await openEc2({ signature, role: 'app', metadataEndpoint: metadata.endpoint });
    expect(session.policies).toContain('app');
    expect(logins()[0]).toMatchObject({ role: 'app' });
    if (signature !== 'identity') expect(logins()[0]?.['pkcs7']).toMatch(new RegExp(`^${signature}`, 'i'));
  });

  it('login reuses its nonce, or the configured one', async () => {
    const metadata = await standIn(ec2Metadata({ privateKey }));
    use({ AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.endpoint, AWS_EC2_METADATA_DISABLED: 'false' });
    cloud.bench.front.answerWith(cloudLogin(cloud.bench, 'aws', ec2Gate(publicKey)));
    const session = await openEc2();
    await session.relogin();
    const [first, second] = logins();
    expect(first?.['nonce']).toMatch(/^[0-9a-f-]{36}$/);
    expect(second?.['nonce']).toBe(first?.['nonce']);
    // Another process of the same instance does not know it.
    await expect(openEc2()).rejects.toMatchObject(refusal(/client nonce mismatch.*the same "auth\.nonce"/s));
    expect((await openEc2({ nonce: () => first?.['nonce'] as string })).state).toBe('active');
  });

  it('login error reports that this is not an EC2 instance', async () => {
    const metadataEndpoint = `http://127.0.0.1:${await freePort()}`;
    await expect(openEc2({ metadataEndpoint })).rejects.toMatchObject(
      refusal(/ECONNREFUSED\. This is not running on an EC2 instance, or metadata is blocked.*hop-limit/s, {
        reason: 'metadata-unreachable',
        endpoint: metadataEndpoint,
      }),
    );
    await expect(openEc2()).rejects.toMatchObject(refusal(/AWS_EC2_METADATA_DISABLED/));
  });

  it('login error names the status when instance metadata is disabled', async () => {
    const metadata = await standIn(answer(403));
    await expect(openEc2({ metadataEndpoint: metadata.endpoint })).rejects.toMatchObject(
      refusal(/status 403\. Check that this is an EC2 instance whose metadata/, { statusCode: 403 }),
    );
  });
});
