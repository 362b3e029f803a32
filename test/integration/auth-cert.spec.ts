import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { generate } from 'selfsigned';
import type { CertAuth } from '../../lib/auth/methods/cert.auth.js';
import { createLoginMethod } from '../../lib/auth/login-methods.js';
import { resolveOptions } from '../../lib/boot/resolve-options.js';
import type { TlsOptions } from '../../lib/client/connections/tls.options.js';
import { fixedToken } from '../../lib/client/token-source.js';
import { createVaultClient } from '../../lib/client/vault-client.js';
import { SessionManager } from '../../lib/session/session-manager.js';
import type { ClientCertificates, VaultServer } from '../../lib/testing/index.js';
import { createCertificates, startVaultServer } from '../../lib/testing/index.js';
import { OpenedSession } from '../support/auth-bench.js';

type Pair = Pick<ClientCertificates, 'cert' | 'key'>;

let server: VaultServer;
let plain: VaultServer;
let folder: string;
let ca: string;
let mine: Pair;
let strangers: Pair;
let expired: Pair;
const closing: (() => Promise<void>)[] = [];

const refusal = (reason: string, message: RegExp) => ({
  code: 'VAULT_AUTHENTICATION',
  message: expect.stringMatching(message) as unknown,
  reason,
});

/** A certificate of an authority of its own that has ended two hours ago. */
async function expiredCertificate(): Promise<Pair & { ca: string }> {
  const authority = await generate([{ name: 'commonName', value: 'old authority' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + 3_600_000),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'old client' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - 10_800_000),
    notAfterDate: new Date(Date.now() - 7_200_000),
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', clientAuth: true },
    ],
  });
  return { cert, key, ca: authority.cert };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'auth-cert-'));
  const [certificates, others, old] = await Promise.all([
    createCertificates({ client: true }),
    createCertificates({ client: true }),
    expiredCertificate(),
  ]);
  ca = certificates.ca;
  mine = certificates.client as Pair;
  strangers = others.client as Pair;
  expired = old;
  [server, plain] = await Promise.all([
    // Without `client`, so that the server asks for a certificate and leaves judging it to the auth method.
    startVaultServer({ tls: { cert: certificates.cert, key: certificates.key, ca } }),
    startVaultServer(),
  ]);
  for (const one of [server, plain]) await one.request('POST', 'sys/auth/cert', { type: 'cert' });
  await server.request('POST', 'sys/auth/team/tls', { type: 'cert' });
  const role = { certificate: ca, allowed_common_names: 'nestjs-vault test client' };
  await server.request('POST', 'auth/cert/certs/web', { ...role, token_policies: 'of-web' });
  await server.request('POST', 'auth/team/tls/certs/web', { ...role, token_policies: 'of-team' });
  await server.request('POST', 'auth/cert/certs/api', { certificate: ca, allowed_common_names: 'somebody else' });
  await server.request('POST', 'auth/cert/certs/old', { certificate: old.ca });
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(async () => {
  await Promise.all([server.stop(), plain.stop()]);
  await rm(folder, { recursive: true });
});

async function open(
  auth: Omit<CertAuth, 'method'>,
  pair: TlsOptions,
  endpoint = server.endpoint,
): Promise<OpenedSession> {
  const tls = { ...pair, ca };
  const options = { endpoint, tls, timeoutMs: 10_000, connectTimeoutMs: 5_000, maxConnections: 2 };
  const client = await createVaultClient(options, fixedToken(undefined));
  const manager = new SessionManager(client, createLoginMethod({ method: 'cert', ...auth }, { tls }), {
    shutdown: { revoke: true, timeoutMs: 5_000 },
  });
  closing.push(async () => {
    await manager.close();
    await client.close();
  });
  await manager.login();
  manager.start();
  return new OpenedSession(manager);
}

describe('cert', () => {
  it('login with cert uses the certificate of the connection, with or without a role', async () => {
    expect((await open({ name: 'web' }, mine)).policies).toEqual(['default', 'of-web']);
    expect((await open({}, mine)).policies).toEqual(['default', 'of-web']);
    expect((await open({ name: 'web', mountPath: 'team/tls' }, mine)).policies).toEqual(['default', 'of-team']);
  });

  it.each<[string, string, () => Promise<unknown>, RegExp]>([
    ['expired', 'certificate-expired', () => open({ name: 'old' }, expired), /"tls\.cert" has expired or is not valid yet\. It is valid from .* GMT to .* GMT\. Issue a new one/],
    ['expired, for a role of another authority', 'certificate-expired', () => open({ name: 'web' }, expired), /"tls\.cert" has expired/],
    ['of another authority', 'certificate-refused', () => open({ name: 'web' }, strangers), /The role "web" does not exist, or it does not accept the certificate.*another authority/],
    ['for a role that wants other names', 'certificate-refused', () => open({ name: 'api' }, mine), /"allowed_common_names"/],
    ['for a role that does not exist', 'certificate-refused', () => open({ name: 'nope' }, mine), /The role "nope" does not exist.*"bao list auth\/cert\/certs"/],
    ['of another authority, and no role is given', 'certificate-refused', () => open({}, strangers), /No role accepts the certificate/],
    ['not sent, because the connection is not encrypted', 'certificate-missing', () => open({}, mine, plain.endpoint), /saw no client certificate\. Write "https:\/\/" in "endpoint"/],
  ])('login with cert rejects a certificate that is %s', async (_name, reason, login, message) => {
    await expect(login()).rejects.toMatchObject(refusal(reason, message));
  }); // prettier-ignore

  it('login with cert error reports the dates of a certificate file', async () => {
    const [cert, key] = [{ file: join(folder, 'cert.pem') }, { file: join(folder, 'key.pem') }];
    await Promise.all([writeFile(cert.file, expired.cert), writeFile(key.file, expired.key)]);
    await expect(open({ name: 'old' }, { cert, key })).rejects.toMatchObject(
      refusal('certificate-expired', /It is valid from .* to .*GMT/),
    );
  });

  it('login with cert requires a certificate before any request', async () => {
    const options = { endpoint: server.endpoint, auth: { method: 'cert' } as const };
    await expect(resolveOptions(options)).rejects.toMatchObject({
      code: 'VAULT_INVALID_OPTION',
      message: expect.stringMatching(/"tls\.cert" and "tls\.key" \(VAULT_CLIENT_CERT, VAULT_CLIENT_KEY\)/) as unknown,
    });
  });
});
