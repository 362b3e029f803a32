import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { GcpGceAuth, GcpIamAuth } from '../../lib/auth/methods/gcp.auth.js';
import { renderError } from '../support/canary.js';
import { useCloudBench } from '../support/cloud/cloud-bench.js';
import { cloudLogin } from '../support/cloud/cloud-login.js';
import { ACCOUNT, checkGcpLogin, gcpMetadata, iamCredentials, keyFile } from '../support/cloud/gcp.js';
import { answer, freePort } from '../support/fault-server.js';

const cloud = useCloudBench();
const { standIn, use } = cloud;
const makeKeys = () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
const { privateKey, publicKey } = makeKeys();

function expecting(type: 'gce' | 'iam', mount = 'gcp'): void {
  cloud.bench.front.answerWith(
    cloudLogin(cloud.bench, mount, (body) => checkGcpLogin(body, { name: 'app', type, publicKey })),
  );
}
const openGce = (more: Partial<GcpGceAuth> = {}) => cloud.bench.open({ method: 'gcp', role: 'app', ...more });
const openIam = (more: Partial<GcpIamAuth> = {}) =>
  cloud.bench.open({ method: 'gcp', type: 'iam', role: 'app', ...more });
const failure = async (work: Promise<unknown>): Promise<Error> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: expect.stringMatching(/^VAULT_(AUTHENTICATION|INVALID_OPTION)$/) as unknown });
  return error as Error;
};
const jwts = () => cloud.bench.sent('/login').map(({ body }) => (JSON.parse(body) as { jwt: string }).jwt);

describe('gcp gce', () => {
  it('login with gce sends a new identity token for the role', async () => {
    const metadata = await standIn(gcpMetadata(privateKey));
    use({ GCE_METADATA_HOST: new URL(metadata.endpoint).host });
    expecting('gce');
    const session = await openGce();
    await session.relogin();
    expect(session.policies).toContain('app');
    expect(metadata.requests.map(({ url }) => url)).toEqual(
      Array(2).fill('/computeMetadata/v1/instance/service-accounts/default/identity?audience=vault%2Fapp&format=full'),
    );
  });

  it('login with gce uses the configured account, mount, namespace and address', async () => {
    const metadata = await standIn(gcpMetadata(privateKey));
    expecting('gce', 'team/gcp');
    const options = { serviceAccount: ACCOUNT, mountPath: 'team/gcp', namespace: 'org' };
    const session = await openGce({ ...options, metadataEndpoint: metadata.endpoint });
    expect(await cloud.bench.alive(session.accessor, 'org')).toBe(true);
    await expect(
      failure(openGce({ serviceAccount: 'x@y', metadataEndpoint: metadata.endpoint })),
    ).resolves.toMatchObject({
      statusCode: 404,
      message: expect.stringContaining('"auth.serviceAccount" names one of its own') as unknown,
    });
  });

  it('login with gce error reports that this is not Google Cloud', async () => {
    expecting('gce');
    use({ GCE_METADATA_HOST: `127.0.0.1:${await freePort()}` });
    expect(await failure(openGce())).toMatchObject({
      reason: 'metadata-unreachable',
      message: expect.stringMatching(
        /ECONNREFUSED\. This is not running on Google Cloud, or metadata is blocked/,
      ) as unknown,
    });
    const portal = await standIn(answer(200, {}, 'please.log.in'));
    expect((await failure(openGce({ metadataEndpoint: portal.endpoint }))).message).toMatch(
      /something else responded there: it has no header "Metadata-Flavor: Google"/,
    );
    use({ GCE_METADATA_HOST: 'http://user:password@x' });
    expect((await failure(openGce())).message).toMatch(/^GCE_METADATA_HOST is not an address/);
    expect(cloud.bench.front.requests).toEqual([]);
  });

  it('login with gce rejects a role of another type without quoting the token', async () => {
    const metadata = await standIn(gcpMetadata(makeKeys().privateKey));
    expecting('gce');
    const error = await failure(openGce({ metadataEndpoint: metadata.endpoint }));
    expect(error.message).toMatch(/invalid JWT \*\*\*.*Check "auth\.role", that its type is the "auth\.type" here/s);
    expect(renderError(error)).not.toContain(jwts()[0]);
  });
});

describe('gcp iam', () => {
  it('login with iam signs with a key file that it reads every time', async () => {
    const file = join(cloud.folder, 'key.json');
    await writeFile(file, keyFile(privateKey));
    expecting('iam');
    expect((await openIam({ credentials: keyFile(privateKey) })).state).toBe('active');
    expect((await openIam({ credentials: { file }, serviceAccount: ACCOUNT })).state).toBe('active');
    use({ GOOGLE_APPLICATION_CREDENTIALS: file });
    const session = await openIam();
    await writeFile(file, keyFile(makeKeys().privateKey));
    expect((await failure(session.relogin())).message).toContain('invalid JWT ***');
  });

  it('login with iam requests a signed JWT with the token of the machine or a configured one', async () => {
    const metadata = await standIn(gcpMetadata(privateKey, 'token-of-machine'));
    const google = await standIn(iamCredentials(privateKey, 'token-of-machine'));
    const endpoints = { metadataEndpoint: metadata.endpoint, iamEndpoint: google.endpoint };
    expecting('iam');
    expect((await openIam(endpoints)).state).toBe('active');
    expect(metadata.requests).toHaveLength(2);
    google.answerWith(iamCredentials(privateKey, 'token-of-function'));
    // A key file in the environment is not meant when there is a token.
    use({ GOOGLE_APPLICATION_CREDENTIALS: '/nonexistent' });
    const given = { serviceAccount: ACCOUNT, accessToken: () => Promise.resolve('token-of-function') };
    expect((await openIam({ ...endpoints, ...given })).state).toBe('active');
    expect(metadata.requests).toHaveLength(2);
  });

  it('login with iam error has advice and no token when Google rejects the request', async () => {
    const google = await standIn(iamCredentials(privateKey, 'right-token'));
    const options = { serviceAccount: ACCOUNT, accessToken: 'wrong-token', iamEndpoint: google.endpoint };
    const error = await failure(openIam(options));
    expect(error).toMatchObject({
      statusCode: 403,
      message: expect.stringMatching(/Permission denied for Bearer \*\*\*.*Service Account Token Creator/) as unknown,
    });
    expect(renderError(error)).not.toContain('wrong-token');
  });

  it.each<[string, () => string, RegExp]>([
    ['no JSON', () => 'SECRET-VALUE', /is not JSON\. Give the key file/],
    ['null', () => 'null', /has no "client_email"/],
    ['half a key file', () => keyFile(privateKey, { private_key: undefined }), /has no "private_key"/],
    ['a key that is none', () => keyFile('SECRET-VALUE'), /"private_key" in it is not a usable RSA key/],
    [
      'a key of another kind',
      () =>
        keyFile(
          generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
            type: 'pkcs8',
            format: 'pem',
          }) as string,
        ),
      /not a usable RSA key/,
    ],
    [
      'another kind of file',
      () => keyFile(privateKey, { type: 'external_account' }),
      /"external_account", which cannot sign.*"auth\.accessToken"/,
    ],
  ])('login with iam rejects credentials that are %s', async (_, credentials, message) => {
    const error = await failure(openIam({ credentials }));
    expect(error.message).toMatch(message);
    expect(renderError(error)).not.toContain('SECRET-VALUE');
    expect(cloud.bench.front.requests).toEqual([]);
  });

  it('login with iam rejects the key file of another account', async () => {
    const error = await failure(openIam({ credentials: keyFile(privateKey), serviceAccount: 'other@project' }));
    expect(error.message).toMatch(/"auth\.serviceAccount" is "other@project", and the key file belongs to another/);
  });
});
