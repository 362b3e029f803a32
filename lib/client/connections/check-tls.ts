import { X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import { createSecureContext } from 'node:tls';
import { VaultInvalidOptionError } from '../../errors/index.js';

/** Certificates and key as they were read. @internal */
export interface TlsMaterial {
  readonly ca: readonly (string | Uint8Array)[];
  readonly cert: string | Uint8Array | undefined;
  readonly key: string | Uint8Array | undefined;
  readonly passphrase: string | undefined;
}

const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** The certificates in a PEM text, one by one. @internal */
export function certificatesIn(pem: string | Uint8Array): string[] {
  return (typeof pem === 'string' ? pem : Buffer.from(pem).toString('latin1')).match(CERTIFICATE) ?? [];
}

/**
 * Makes what connections are secured with. Everything is tried out before a connection is made: there, a wrong
 * certificate would look like a fault of the server, and a wrong authority would be ignored silently.
 *
 * @throws VaultInvalidOptionError naming the option and its variable, and OpenSSL's code; never what was given
 * @internal
 */
export function secureContextOf({ ca, cert, key, passphrase }: TlsMaterial): SecureContext {
  attempt('"tls.ca" (VAULT_CACERT) holds no certificate in PEM form', () => {
    for (const authority of ca) {
      const certificates = certificatesIn(authority);
      for (const certificate of certificates.length > 0 ? certificates : ['']) new X509Certificate(certificate);
    }
  });
  const base = { minVersion: 'TLSv1.2' as const, ...(ca.length > 0 && { ca: ca.map(bytes) }) };
  if (cert === undefined || key === undefined) return createSecureContext(base);
  const pair = { cert: bytes(cert), key: bytes(key), ...(passphrase !== undefined && { passphrase }) };
  attempt('"tls.cert" (VAULT_CLIENT_CERT) holds no certificate in PEM form', () =>
    createSecureContext({ cert: pair.cert }),
  );
  attempt(
    '"tls.key" (VAULT_CLIENT_KEY) is no private key in PEM form, or "tls.passphrase" is not the one it is encrypted with',
    () => createSecureContext({ ...pair, cert: undefined }),
  );
  return attempt('"tls.key" (VAULT_CLIENT_KEY) is not the key of "tls.cert" (VAULT_CLIENT_CERT)', () =>
    createSecureContext({ ...base, ...pair }),
  );
}

function attempt<T>(complaint: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new VaultInvalidOptionError(`${complaint} (${reason}).`, { reason });
  }
}

function bytes(pem: string | Uint8Array): string | Buffer {
  return typeof pem === 'string' ? pem : Buffer.from(pem);
}
