import { isIP } from 'node:net';
import type * as Selfsigned from 'selfsigned';
import { interop } from '../options/optional-package.js';
import { VaultTestServerError } from './server-error.js';

/**
 * Certificates of a test server in PEM format, from {@link createCertificates} or any other source.
 * @publicApi
 */
export interface ServerCertificates {
  /** Server certificate, optionally followed by intermediates. */
  cert: string;
  /** Private key of the server certificate. */
  key: string;
  /** Certificate authority for clients to trust. */
  ca?: string | undefined;
  /** If set, the server requires a client certificate (mutual TLS). */
  client?: ClientCertificates | undefined;
}

/**
 * Client certificate for mutual TLS, in PEM format.
 * @publicApi
 */
export interface ClientCertificates {
  /** Certificate authority that the server accepts. */
  ca: string;
  /** Client certificate. */
  cert: string;
  /** Private key of the client certificate. */
  key: string;
}

/**
 * Options of {@link createCertificates}.
 * @publicApi
 */
export interface CertificateOptions {
  /**
   * DNS names and IP addresses in the server certificate.
   * @default ['127.0.0.1', '::1', 'localhost']
   */
  hosts?: string[];
  /**
   * Start of the validity of the server certificate.
   * @default an hour ago
   */
  notBefore?: Date;
  /**
   * End of the validity of the server certificate; a date in the past creates an expired one.
   * @default in a day
   */
  notAfter?: Date;
  /**
   * Whether to create a client certificate too, which turns on mutual TLS.
   * @default false
   */
  client?: boolean;
}

const HOUR_MS = 3_600_000;

/**
 * Creates a new certificate authority and a server certificate signed by it (elliptic curve P-256), for tests. Nothing is
 * written to disk. Each call creates its own authority, which does not trust the others.
 *
 * Requires the package `selfsigned`.
 * @throws VaultTestServerError if `selfsigned` is not installed
 * @publicApi
 */
export async function createCertificates(
  options: CertificateOptions = {},
): Promise<ServerCertificates & { ca: string }> {
  const { generate } = await loadSelfsigned();
  const {
    hosts = ['127.0.0.1', '::1', 'localhost'],
    notBefore = new Date(Date.now() - HOUR_MS),
    notAfter = new Date(Date.now() + 24 * HOUR_MS),
  } = options;

  const authority = await generate([{ name: 'commonName', value: 'nestjs-vault test authority' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Math.min(notBefore.getTime(), Date.now() - HOUR_MS)),
    notAfterDate: new Date(Date.now() + 48 * HOUR_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const sign = (commonName: string, usage: 'serverAuth' | 'clientAuth', names: string[], from: Date, to: Date) =>
    generate([{ name: 'commonName', value: commonName }], {
      keyType: 'ec',
      algorithm: 'sha256',
      notBeforeDate: from,
      notAfterDate: to,
      ca: { key: authority.private, cert: authority.cert },
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', [usage]: true },
        { name: 'subjectAltName', altNames: names.map(alternativeName) },
      ],
    });

  const server = await sign('nestjs-vault test server', 'serverAuth', hosts, notBefore, notAfter);
  const certificates = { ca: authority.cert, cert: server.cert, key: server.private };
  if (options.client !== true) return certificates;
  const client = await sign(
    'nestjs-vault test client',
    'clientAuth',
    ['client.test'],
    new Date(Date.now() - HOUR_MS),
    new Date(Date.now() + 24 * HOUR_MS),
  );
  return { ...certificates, client: { ca: authority.cert, cert: client.cert, key: client.private } };
}

function alternativeName(host: string): { type: 7; ip: string } | { type: 2; value: string } {
  return isIP(host) === 0 ? { type: 2, value: host } : { type: 7, ip: host };
}

async function loadSelfsigned(): Promise<typeof Selfsigned> {
  try {
    return interop(await import('selfsigned'), 'generate');
  } catch {
    throw new VaultTestServerError(
      'usage',
      'Certificates for a test server are made with the package "selfsigned", which could not be loaded. ' +
        'Install it with "npm install --save-dev selfsigned@5", or give your own certificates in the option tls.',
    );
  }
}
