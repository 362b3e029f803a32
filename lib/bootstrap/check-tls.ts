import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { VaultTlsOptions } from '../client/transport.options.js';
import { VaultInvalidOptionError } from '../errors/index.js';

/**
 * Tries certificates and key out before a connection is made: there, a wrong one would look like a fault of the server,
 * and a wrong authority would be ignored without a word.
 *
 * @throws VaultInvalidOptionError naming the option and its variable, and OpenSSL's code; never what was given
 * @internal
 */
export function checkTls({ ca, cert, key, passphrase }: VaultTlsOptions): void {
  const authorities = ca === undefined ? [] : [ca].flat();
  const secret = passphrase === undefined ? {} : { passphrase };
  attempt('"tls.ca" (VAULT_CACERT) holds no certificate in PEM form', () => {
    for (const authority of authorities) new X509Certificate(authority);
  });
  if (cert === undefined || key === undefined) return;
  attempt('"tls.cert" (VAULT_CLIENT_CERT) holds no certificate in PEM form', () => createSecureContext({ cert }));
  attempt(
    '"tls.key" (VAULT_CLIENT_KEY) is no private key in PEM form, or "tls.passphrase" is not the one it is encrypted with',
    () => createSecureContext({ key, ...secret }),
  );
  attempt('"tls.key" (VAULT_CLIENT_KEY) is not the key of "tls.cert" (VAULT_CLIENT_CERT)', () =>
    createSecureContext({ cert, key, ...secret }),
  );
}

function attempt(complaint: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new VaultInvalidOptionError(`${complaint} (${reason}).`, { reason });
  }
}
