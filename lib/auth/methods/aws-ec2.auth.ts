import { randomUUID } from 'node:crypto';
import type { VaultClient } from '../../client/vault-client.js';
import { checkAddress } from './cloud/address.js';
import { fetchEc2Proof } from './cloud/ec2-identity.js';
import type { Credential } from '../credential.js';
import { resolveCredential } from '../credential.js';
import type { Login, LoginMethod } from '../login-method.js';
import type { MountedLoginOptions } from '../login.options.js';
import { mountOf } from '../login.options.js';
import { submitLogin } from '../submit-login.js';

/**
 * An EC2 instance, proved with its signed identity document.
 * @see https://developer.hashicorp.com/vault/api-docs/auth/aws#login
 * @publicApi
 */
export interface AwsEc2Auth extends MountedLoginOptions {
  readonly method: 'aws';
  readonly type: 'ec2';
  /** Default: the server takes the role with the name of the machine image. */
  readonly role?: string;
  /** What to prove the identity with. Default: `pkcs7`. */
  readonly signature?: 'pkcs7' | 'rsa2048' | 'identity';
  /**
   * Tells the server that it is still the same client: an instance that has logged in once is let in again only with the same
   * one. Default: one is made at start and kept in memory, so that a restarted application is refused, unless the role has
   * `disallow_reauthentication` off and this option names one that outlives the restart.
   */
  readonly nonce?: Credential;
  /** Address of the instance metadata service. Default: as for the AWS SDKs, else `http://169.254.169.254`. */
  readonly metadataEndpoint?: string;
}

/** @internal */
export class AwsEc2Login implements LoginMethod {
  readonly method = 'aws';
  readonly #options: AwsEc2Auth;
  readonly #mountPath: string;
  readonly #ownNonce = randomUUID();

  constructor(options: AwsEc2Auth) {
    this.#options = options;
    this.#mountPath = mountOf('aws', options);
    if (options.metadataEndpoint !== undefined) checkAddress(options.metadataEndpoint, '"auth.metadataEndpoint"');
  }

  async login(client: VaultClient, signal?: AbortSignal): Promise<Login> {
    const { role, signature = 'pkcs7', nonce, metadataEndpoint } = this.#options;
    const [proof, sentNonce] = await Promise.all([
      fetchEc2Proof(signature, metadataEndpoint, signal),
      nonce === undefined ? this.#ownNonce : resolveCredential(nonce, 'auth.nonce'),
    ]);
    return submitLogin(client, {
      method: 'aws',
      mountPath: this.#mountPath,
      path: 'login',
      body: { ...(role !== undefined && { role }), ...proof, nonce: sentNonce },
      options: this.#options,
      advice:
        'Check "auth.role" and what it is bound to. An instance that has logged in before needs the same "auth.nonce"; ' +
        'if that is lost, remove the instance from auth/<mount>/identity-accesslist.',
      signal,
    });
  }
}
