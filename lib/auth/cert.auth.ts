import { X509Certificate } from 'node:crypto';
import { is } from '../bootstrap/check-options.js';
import type { VaultTlsOptions } from '../client/transport.options.js';
import type { VaultClient } from '../client/vault-client.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import type { Login, LoginKind, LoginMethod } from './login-method.js';
import type { MountedLoginOptions } from './login.options.js';
import { MOUNTED, mountOf } from './login.options.js';
import type { Diagnosis } from './submit-login.js';
import { submitLogin } from './submit-login.js';

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
  readonly #tls: VaultTlsOptions;

  constructor(options: CertAuth, tls: VaultTlsOptions) {
    this.#options = options;
    this.#mountPath = mountOf('cert', options);
    this.#tls = tls;
    if (tls.cert === undefined)
      throw new VaultInvalidOptionError(
        '"auth.method" is "cert", which logs in with a client certificate, and there is none. Set "tls.cert" and "tls.key" (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY).',
      );
  }

  login(client: VaultClient, signal?: AbortSignal): Promise<Login> {
    const { name } = this.#options;
    return submitLogin(client, {
      method: 'cert',
      mountPath: this.#mountPath,
      path: 'login',
      body: name === undefined ? {} : { name },
      options: this.#options,
      advice: `Check "tls.cert" and "auth.name": "bao list auth/${this.#mountPath}/certs" shows the roles.`,
      diagnose: (said) => this.#diagnose(client, said),
      signal,
    });
  }

  #diagnose({ endpoint }: VaultClient, said: string): Diagnosis | undefined {
    if (/expired or is not yet valid|has expired/.test(said)) return this.#expired();
    if (/no client certificate found|tls connection required/i.test(said))
      return {
        reason: 'certificate-missing',
        advice: `${endpoint} saw no client certificate. ${
          endpoint.startsWith('http:')
            ? 'Write "https://" in "endpoint".'
            : 'A load balancer may end TLS before it, or its listener has "tls_disable_client_certs".'
        }`,
      };
    if (/invalid certificate|no chain matching|failed to match/.test(said))
      return this.#outOfDate() ? this.#expired() : { reason: 'certificate-refused', advice: this.#mismatch() };
    return undefined;
  }

  #expired(): Diagnosis {
    const { validFrom, validTo } = this.#certificate() ?? {};
    const dates = validTo === undefined ? '' : ` It is valid from ${validFrom} to ${validTo}.`;
    return {
      reason: 'certificate-expired',
      advice: `The client certificate in "tls.cert" has expired or is not valid yet.${dates} Issue a new one, or check the clocks.`,
    };
  }

  #mismatch(): string {
    const { name } = this.#options;
    const role = name === undefined ? 'No role' : `The role ${JSON.stringify(name)} does not exist or`;
    return (
      `${role} accepts the certificate of "tls.cert": it may be signed by another authority than the role's "certificate", ` +
      'or its names may not be among the allowed ones ("allowed_common_names", "allowed_dns_sans", …). ' +
      `"bao list auth/${this.#mountPath}/certs" shows the roles.`
    );
  }

  #outOfDate(): boolean {
    const certificate = this.#certificate();
    if (!certificate) return false;
    return Date.now() > Date.parse(certificate.validTo) || Date.now() < Date.parse(certificate.validFrom);
  }

  #certificate(): X509Certificate | undefined {
    try {
      return new X509Certificate(this.#tls.cert ?? '');
    } catch {
      return undefined;
    }
  }
}

/** @internal */
export const cert: LoginKind<CertAuth> = {
  shape: { ...MOUNTED, name: is('string') },
  create: (auth, { tls }) => new CertLogin(auth, tls),
};
