import { below, checkAddress } from './address.js';
import type { MetadataRequest } from './metadata.js';
import { askMetadata, readField, readObject } from './metadata.js';
import { VaultAuthenticationError } from '../../../errors/index.js';

const ACCOUNTS = '/computeMetadata/v1/instance/service-accounts';
const FLAVOR = { 'metadata-flavor': 'Google' };

/** The metadata server of Google Cloud, as this machine or pod sees it. @internal */
export class GcpMetadata {
  readonly #given: string | undefined;
  readonly #signal: AbortSignal | undefined;

  /** @param address option `metadataEndpoint`; default: `GCE_METADATA_HOST`, else the name Google gives it */
  constructor(address: string | undefined, signal: AbortSignal | undefined) {
    this.#given = address;
    this.#signal = signal;
  }

  /** A token that says which service account and which instance this is, made for one audience. */
  async identityToken(serviceAccount: string, audience: string): Promise<string> {
    return this.#text('get an identity token', serviceAccount, 'identity', { audience, format: 'full' });
  }

  /** A token of the service account for Google's own interfaces. */
  async accessToken(): Promise<string> {
    const request = this.#request('get an access token', 'default', 'token');
    return readField(readObject(await this.#ask(request), request), 'access_token', request);
  }

  async email(): Promise<string> {
    return this.#text('read the name of the service account', 'default', 'email');
  }

  async #text(operation: string, account: string, what: string, query = {}): Promise<string> {
    return (await this.#ask(this.#request(operation, account, what, query))).text.trim();
  }

  /** Answers without the header come from something else: a captive portal, or a proxy that was sent the question. */
  async #ask(request: MetadataRequest) {
    const answer = await askMetadata(request);
    if (answer.headers['metadata-flavor']?.toLowerCase() === 'google') return answer;
    throw new VaultAuthenticationError(
      `Cannot ${request.operation} from ${request.service} at ${request.url.origin}: what answered there is something else; it has no header "Metadata-Flavor: Google". ${request.absent}`,
      { operation: request.operation, endpoint: request.url.origin },
    );
  }

  #request(operation: string, account: string, what: string, query = {}): MetadataRequest {
    return {
      operation,
      service: 'the metadata server of Google Cloud',
      url: below(this.#address(), `${ACCOUNTS}/${encodeURIComponent(account)}/${what}`, query),
      headers: FLAVOR,
      absent:
        'This is not running on Google Cloud, or metadata is blocked (on GKE by a network policy). Elsewhere use type "iam" with "auth.credentials".',
      refused:
        'Check that the instance or pod has a service account, and that "auth.serviceAccount" names one of its own.',
      signal: this.#signal,
    };
  }

  #address(): URL {
    if (this.#given !== undefined) return checkAddress(this.#given, '"auth.metadataEndpoint"');
    const host = process.env['GCE_METADATA_HOST'];
    if (!host) return new URL('http://metadata.google.internal');
    return checkAddress(/^https?:/.test(host) ? host : `http://${host}`, 'GCE_METADATA_HOST');
  }
}
