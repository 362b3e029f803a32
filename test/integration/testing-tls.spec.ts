import { afterEach, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { createCertificates, startVaultServer } from '../../lib/testing/index.js';
import type { VaultServer, VaultServerOptions } from '../../lib/testing/index.js';

const started: VaultServer[] = [];
async function start(tls: VaultServerOptions['tls']): Promise<VaultServer> {
  const server = await startVaultServer({ tls: tls ?? false });
  started.push(server);
  return server;
}
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

/** Status of the health page, or the code of the reason why there is none. */
async function health(url: string, connect: Agent.Options['connect']): Promise<unknown> {
  const agent = new Agent({ connect: { ...connect, timeout: 10_000 } });
  try {
    const { statusCode, body } = await request(`${url}/v1/sys/health`, { dispatcher: agent });
    await body.dump();
    return statusCode;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    await agent.destroy();
  }
}

describe('startVaultServer with TLS', () => {
  it('server accepts only clients that trust its authority, under each of its names', async () => {
    const server = await start(true);
    const { ca = '' } = server;
    expect(server.endpoint).toBe(`https://127.0.0.1:${server.port}`);
    expect(await readFile(server.caFile ?? '', 'utf8')).toBe(ca);

    expect(await health(server.endpoint, { ca })).toBe(200);
    expect(await health(`https://localhost:${server.port}`, { ca, host: '127.0.0.1' })).toBe(200);
    expect(await health(server.endpoint, {})).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    const { ca: stranger } = await createCertificates();
    expect(await health(server.endpoint, { ca: stranger })).toMatch(/UNABLE_TO_VERIFY_LEAF_SIGNATURE|CERT_SIGNATURE/);
  });

  it('server starts with certificates that are invalid on purpose', async () => {
    const yesterday = new Date(Date.now() - 86_400_000);
    const expired = await createCertificates({ notBefore: new Date(yesterday.getTime() - 1000), notAfter: yesterday });
    const server = await start(expired);
    await server.seed({ 'secret/my-app': { A: 1 } });
    expect(await health(server.endpoint, { ca: expired.ca })).toBe('CERT_HAS_EXPIRED');

    const elsewhere = await createCertificates({ hosts: ['vault.example.test', '192.0.2.1'] });
    const other = await start(elsewhere);
    expect(await health(other.endpoint, { ca: elsewhere.ca })).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await health(other.endpoint, { ca: elsewhere.ca, servername: 'vault.example.test' })).toBe(200);
  });

  it('server requires a client certificate with mutual TLS', async () => {
    const certificates = await createCertificates({ client: true });
    const server = await start(certificates);
    expect(server.client).toEqual(certificates.client);

    const { ca } = certificates;
    const { cert = '', key = '' } = server.client ?? {};
    expect(await health(server.endpoint, { ca, cert, key })).toBe(200);
    expect(await health(server.endpoint, { ca })).not.toBe(200);
    const { client: stranger } = await createCertificates({ client: true });
    expect(await health(server.endpoint, { ca, cert: stranger?.cert, key: stranger?.key })).not.toBe(200);
  });

  it('startVaultServer reports certificates that the server rejects', async () => {
    const { cert } = await createCertificates();
    const { key } = await createCertificates();
    await expect(startVaultServer({ tls: { cert, key } })).rejects.toThrow(/private key does not match public key/);
  });
});
