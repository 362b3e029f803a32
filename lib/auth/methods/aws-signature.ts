import type { BinaryLike, Hash, Hmac } from 'node:crypto';
import { createHash, createHmac } from 'node:crypto';
import type * as Signer from '@smithy/signature-v4';
import { interop, missingPackage } from '../../options/optional-package.js';
import type { AwsCredentials } from './aws-credentials.js';

/** Input for signing. @internal */
export interface CallerIdentityRequest {
  readonly credentials: AwsCredentials;
  readonly region: string;
  /** Address of STS, with its path. */
  readonly endpoint: URL;
  /** Value of the signed header that binds the request to one Vault server. */
  readonly serverId: string | undefined;
}

/** A signed request to STS. Anyone who has it can send it. @internal */
export interface SignedRequest {
  readonly method: 'POST';
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const BODY = 'Action=GetCallerIdentity&Version=2011-06-15';

/**
 * Signs an `sts:GetCallerIdentity` request (Signature Version 4), which Vault forwards to AWS to identify the signer. Nothing
 * is sent here. AWS accepts a signature for 15 minutes, so every login needs a new one.
 *
 * @throws VaultInvalidOptionError when the signing package is not installed
 * @see https://developer.hashicorp.com/vault/docs/auth/aws#iam-auth-method
 * @internal
 */
export async function signCallerIdentity(request: CallerIdentityRequest): Promise<SignedRequest> {
  const { SignatureV4 } = await loadSigner();
  const { region, endpoint, serverId } = request;
  const { sessionToken, ...keys } = request.credentials;
  const credentials = { ...keys, ...(sessionToken !== undefined && { sessionToken }) };
  const signer = new SignatureV4({ service: 'sts', region, credentials, sha256: Sha256, applyChecksum: false });
  const { headers } = await signer.sign({
    method: 'POST',
    protocol: endpoint.protocol,
    hostname: endpoint.hostname,
    path: endpoint.pathname,
    query: {},
    headers: {
      Host: endpoint.host,
      'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8',
      ...(serverId !== undefined && { 'X-Vault-AWS-IAM-Server-ID': serverId }),
    },
    body: BODY,
  });
  return { method: 'POST', url: endpoint.href, body: BODY, headers };
}

async function loadSigner(): Promise<typeof Signer> {
  try {
    return interop(await import('@smithy/signature-v4'), 'SignatureV4');
  } catch (error) {
    throw missingPackage('@smithy/signature-v4@5', 'The login method "aws" with type "iam"', error);
  }
}

/** SHA-256, or HMAC-SHA-256 with a key, of node:crypto with the interface that the signer expects. */
class Sha256 {
  readonly #key: BinaryLike | undefined;
  #hash: Hash | Hmac;

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#key = key instanceof ArrayBuffer ? new Uint8Array(key) : (key as BinaryLike | undefined);
    this.#hash = this.#start();
  }

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    this.#hash = this.#start();
  }

  #start(): Hash | Hmac {
    return this.#key === undefined ? createHash('sha256') : createHmac('sha256', this.#key);
  }
}
