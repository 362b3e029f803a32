import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VaultAuth } from '../../../lib/index.js';
import { canary, track } from '../canary.js';
import type { FaultHandler } from '../fault-server.js';
import { json, startFaultServer } from '../fault-server.js';
import { checkIamLogin, ec2Gate, ec2Metadata } from './aws.js';
import { azureMetadata, entra } from './azure.js';
import type { LoginBody, TokenIssuer } from './cloud-login.js';
import { cloudLogin } from './cloud-login.js';
import { cloudEnvironment } from './environment.js';
import { ACCOUNT, checkGcpLogin, gcpMetadata, iamCredentials, keyFile } from './gcp.js';

export interface CloudCanaries {
  /** A server with the cloud methods, in front of the real one. */
  readonly endpoint: string;
  readonly logins: readonly VaultAuth[];
  readonly refused: readonly VaultAuth[];
  readonly environment: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

/** Every cloud login with marked credentials, and with wrong ones; what is made of them on the way is marked when it arrives. */
export async function cloudCanaries(issuer: TokenIssuer): Promise<CloudCanaries> {
  const folder = await mkdtemp(join(tmpdir(), 'canary-cloud-'));
  const keys = {
    accessKeyId: 'AKIACANARY',
    secretAccessKey: canary('aws-secret-key'),
    sessionToken: canary('aws-session-token'),
  };
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  track('gcp-private-key', privateKey.split('\n')[1] as string);
  const credentialsFile = join(folder, 'credentials');
  await writeFile(
    credentialsFile,
    `[default]\naws_access_key_id=${keys.accessKeyId}\naws_secret_access_key=${keys.secretAccessKey}\naws_session_token=${keys.sessionToken}\n`,
  );
  const assertion = canary('azure-assertion');
  const assertionFile = join(folder, 'assertion');
  await writeFile(assertionFile, assertion);
  const accessToken = canary('gcp-access-token');

  const servers = await Promise.all(
    [
      ec2Metadata({ privateKey }),
      gcpMetadata(privateKey, accessToken),
      iamCredentials(privateKey, accessToken),
      azureMetadata({ subscriptionId: 's', resourceGroupName: 'g', name: 'vm' }),
      entra(() => assertion),
      json(400, { error_description: 'no' }),
    ].map((handler) => startFaultServer(handler)),
  );
  const [ec2, gcp, iam, azure, authority, nobody] = servers.map(({ endpoint }) => endpoint) as [string, ...string[]] &
    Record<1 | 2 | 3 | 4 | 5, string>;
  const gate = ec2Gate(publicKey);
  const checks: Record<string, (body: LoginBody) => string | undefined> = {
    'aws-iam': (body) => checkIamLogin(body, { keys }),
    'aws-ec2': (body) => gate(body),
    'gcp-gce': (body) => checkGcpLogin(body, { name: 'app', type: 'gce', publicKey }),
    'gcp-iam': (body) => checkGcpLogin(body, { name: 'app', type: 'iam', publicKey }),
    azure: () => undefined,
    // Says everything that came, as a server with a debug setting would.
    strict: (body) => `refused: ${Object.values(body).join(' ')} ${authorizationIn(body)}`,
  };
  const handlers = Object.entries(checks).map(([mount, check]) => {
    const marked = (body: LoginBody) => {
      markAll(mount, body);
      return check(body);
    };
    return [`/v1/auth/${mount}/login`, cloudLogin(issuer, mount, marked)] as const;
  });
  const other = cloudLogin(issuer, 'none', () => undefined);
  const byPath = new Map<string, FaultHandler>(handlers);
  const front = await startFaultServer((request, response) => (byPath.get(request.url) ?? other)(request, response));

  const role = 'app';
  const aws = { method: 'aws', mountPath: 'aws-iam' } as const;
  const signed = { method: 'gcp', type: 'iam', role, mountPath: 'gcp-iam' } as const;
  const machine = { method: 'azure', role, metadataEndpoint: azure, source: 'instance-metadata' } as const;
  const google = { iamEndpoint: iam, metadataEndpoint: gcp, serviceAccount: ACCOUNT };
  const logins: VaultAuth[] = [
    { ...aws, credentials: keys },
    aws,
    { method: 'aws', type: 'ec2', mountPath: 'aws-ec2', nonce: canary('aws-nonce'), metadataEndpoint: ec2 },
    { method: 'gcp', role, mountPath: 'gcp-gce', metadataEndpoint: gcp },
    { ...signed, credentials: keyFile(privateKey) },
    { ...signed, ...google, accessToken },
    machine,
    { method: 'azure', role, source: 'workload-identity' },
    { method: 'azure', role, jwt: canary('azure-jwt') },
  ];
  const refused: VaultAuth[] = [
    ...logins.map((auth) => ({ ...auth, mountPath: 'strict' }) as VaultAuth),
    { ...aws, credentials: { ...keys, secretAccessKey: canary('aws-wrong-secret-key') } },
    { ...aws, credentials: { ...keys, sessionToken: `${canary('aws-session-token-with-space')} x` } },
    { ...aws, credentials: [canary('aws-credentials-in-a-list')] as never },
    { ...signed, ...google, accessToken: canary('gcp-wrong-access-token') },
    { ...signed, credentials: `{"private_key":"${canary('gcp-broken-key-file')}` },
    { ...signed, credentials: keyFile(canary('gcp-key-that-is-none')) },
    { ...machine, metadataEndpoint: nobody },
    { ...machine, metadataEndpoint: `http://user:${canary('password-in-metadata-address')}@127.0.0.1` },
  ];
  return {
    endpoint: front.endpoint,
    logins,
    refused,
    environment: cloudEnvironment(
      {},
      {
        AWS_SHARED_CREDENTIALS_FILE: credentialsFile,
        AZURE_FEDERATED_TOKEN_FILE: assertionFile,
        AZURE_TENANT_ID: 'tenant-1',
        AZURE_CLIENT_ID: 'client-1',
        AZURE_AUTHORITY_HOST: authority,
      },
    ),
    close: async () => {
      for (const server of [front, ...servers]) await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function authorizationIn(body: LoginBody): string {
  const headers = Buffer.from(body['iam_request_headers'] ?? '', 'base64').toString('utf8');
  return headers === '' ? '' : ((JSON.parse(headers) as Record<string, string>)['authorization'] ?? '');
}

/** What was made from the credentials: JWTs, signatures, documents. */
function markAll(mount: string, body: LoginBody): void {
  for (const field of ['jwt', 'pkcs7', 'nonce', 'iam_request_headers'])
    if (body[field] !== undefined) track(`${field}-at-${mount}`, body[field]);
  const signature = authorizationIn(body).split('Signature=')[1];
  if (signature !== undefined) track(`signature-at-${mount}`, signature);
}
