import { describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { createCertificates } from '../../lib/testing/index.js';

describe('createCertificates', () => {
  it('creates an authority and a server certificate for the loopback names', async () => {
    const { ca, cert, key, client } = await createCertificates();
    const [authority, server] = [new X509Certificate(ca), new X509Certificate(cert)];

    expect(authority.ca).toBe(true);
    expect(server.ca).toBe(false);
    expect(server.verify(authority.publicKey)).toBe(true);
    for (const ip of ['127.0.0.1', '::1']) expect(server.checkIP(ip)).toBeDefined();
    expect(server.checkHost('localhost')).toBe('localhost');
    expect(server.checkHost('vault.example.test')).toBeUndefined();
    expect(Date.parse(server.validFrom)).toBeLessThan(Date.now());
    expect(Date.parse(server.validTo)).toBeGreaterThan(Date.now() + 3_600_000);
    expect(() => createSecureContext({ cert, key })).not.toThrow();
    expect(client).toBeUndefined();
  });

  it('accepts hosts and dates, including past ones', async () => {
    const notBefore = new Date('2020-01-01T00:00:00Z');
    const notAfter = new Date('2020-02-01T00:00:00Z');
    const { ca, cert } = await createCertificates({ hosts: ['vault.example.test'], notBefore, notAfter });
    const [authority, server] = [new X509Certificate(ca), new X509Certificate(cert)];

    expect(server.subjectAltName).toBe('DNS:vault.example.test');
    expect([Date.parse(server.validFrom), Date.parse(server.validTo)]).toEqual([+notBefore, +notAfter]);
    expect(server.verify(authority.publicKey)).toBe(true);
    // Only the server certificate has expired: the authority has not.
    expect(Date.parse(authority.validTo)).toBeGreaterThan(Date.now());
  });

  it('creates a certificate for client authentication only', async () => {
    const { ca, client } = await createCertificates({ client: true });
    const certificate = new X509Certificate(client?.cert ?? '');
    expect(client?.ca).toBe(ca);
    expect(certificate.verify(new X509Certificate(ca).publicKey)).toBe(true);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  });

  it('creates a new authority each time', async () => {
    const [one, other] = await Promise.all([createCertificates(), createCertificates()]);
    expect(new X509Certificate(one.cert).verify(new X509Certificate(other.ca).publicKey)).toBe(false);
  });
});
