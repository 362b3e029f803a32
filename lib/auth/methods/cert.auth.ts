import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { typeOf } from '../../options/check-options.js';
import type { TlsOptions } from '../../client/connections/tls.options.js';
import type { Requester } from '../../client/vault-client.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { redact } from '../../errors/redact.js';
import type { Login, LoginMethod, LoginMethodDefinition, MountedLoginOptions } from '../login.js';
import { MOUNTED_LOGIN_OPTIONS, authMountPath } from '../login.js';
import type { LoginFailure } from '../submit-login.js';
import { submitLogin } from '../submit-login.js';

/**
 * The client certificate of the TLS connection, `tls.cert` and `tls.key`.
 * @see https://openbao.org/api-docs/auth/cert/#login-with-tls-certificate-method
 * @publicApi
 */
export interface CertAuth extends MountedLoginOptions {
  readonly method: 'cert';
  /** Role to log in to. Default: the server tries all of them. */
  readonly name?: string;
}

/** @internal */
export class CertLogin implements LoginMethod {
  readonly method = 'cert';
  readonly #options: CertAuth;
  readonly #mountPath: string;
  readonly #tls: TlsOptions;

  constructor(options: CertAuth, tls: TlsOptions) {
    this.#options = options;
    this.#mountPath = authMountPath('cert', options);
    this.#tls = tls;
    if (tls.cert === undefined)
      throw new VaultInvalidOptionError(
        '"auth.method" is "cert", which logs in with a client certificate, and there is none. Set "tls.cert" and "tls.key" (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY).',
      );
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { name } = this.#options;
    const certificate = await this.#certificate();
    return submitLogin(client, {
      method: 'cert',
      mountPath: this.#mountPath,
      path: 'login',
      body: name === undefined ? {} : { name },
      options: this.#options,
      advice: `Check "tls.cert" and "auth.name": "bao list auth/${this.#mountPath}/certs" shows the roles.`,
      classify: (said) => this.#diagnose(client, certificate, said),
      signal,
    });
  }

  #diagnose({ endpoint }: Requester, certificate: X509Certificate | undefined, said: string): LoginFailure | undefined {
    if (/expired or is not yet valid|has expired/.test(said)) return expired(certificate);
    if (/no client certificate found|tls connection required/i.test(said))
      return {
        reason: 'certificate-missing',
        advice: `${endpoint} saw no client certificate. ${
          endpoint.startsWith('http:')
            ? 'Write "https://" in "endpoint".'
            : 'A load balancer may end TLS before it, or its listener has "tls_disable_client_certs".'
        }`,
      };
    if (!/invalid certificate|no chain matching|failed to match/.test(said)) return undefined;
    if (certificate && (Date.now() > Date.parse(certificate.validTo) || Date.now() < Date.parse(certificate.validFrom)))
      return expired(certificate);
    return { reason: 'certificate-refused', advice: this.#mismatch() };
  }

  #mismatch(): string {
    const { name } = this.#options;
    const role =
      name === undefined ? 'No role' : `The role ${JSON.stringify(redact(name))} does not exist, or it does not`;
    return (
      `${role} ${name === undefined ? 'accepts' : 'accept'} the certificate of "tls.cert": it may be signed by another authority ` +
      'than the role\'s "certificate", or its names may not be among the allowed ones ("allowed_common_names", "allowed_dns_sans", …). ' +
      `"bao list auth/${this.#mountPath}/certs" shows the roles.`
    );
  }

  /** The certificate as it is now, for what is said when it is refused. */
  async #certificate(): Promise<X509Certificate | undefined> {
    const { cert = '' } = this.#tls;
    try {
      return new X509Certificate(typeof cert === 'object' && 'file' in cert ? await readFile(cert.file) : cert);
    } catch {
      return undefined;
    }
  }
}

function expired(certificate: X509Certificate | undefined): LoginFailure {
  const dates = certificate ? ` It is valid from ${certificate.validFrom} to ${certificate.validTo}.` : '';
  return {
    reason: 'certificate-expired',
    advice: `The client certificate in "tls.cert" has expired or is not valid yet.${dates} Issue a new one, or check the clocks.`,
  };
}

/** @internal */
export const cert: LoginMethodDefinition<CertAuth> = {
  shape: { ...MOUNTED_LOGIN_OPTIONS, name: typeOf('string') },
  create: (auth, { tls }) => new CertLogin(auth, tls),
};
