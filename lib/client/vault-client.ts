import type { client as NodeVaultClient } from 'node-vault';
import type { ClientOptions } from './client-options.js';
import { prepareConnect } from './connections/connections.js';
import type { VaultEndpointStatus } from './endpoints.js';
import { loadNodeVault, NodeVaultBinding } from './node-vault.js';
import type { Pipeline, RequestObserver } from './request-pipeline.js';
import { RequestPipeline } from './request-pipeline.js';
import type { TokenSource } from './token-source.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';

/** What login methods, engines and `sys` need of a client. @internal */
export interface Requester {
  /** Address of the endpoint in use. */
  readonly endpoint: string;
  /**
   * Sends one request.
   *
   * @throws a `VaultError` for every failure: network, TLS, deadline, status, body
   */
  request(request: VaultRequest): Promise<VaultResponse>;
}

/**
 * A pipeline and the source of its tokens. Every request goes through node-vault and the pipeline. Several clients can share a
 * pipeline.
 * @internal
 */
export class VaultClient implements Requester {
  readonly #pipeline: Pipeline;
  readonly #tokens: TokenSource;
  readonly #binding: NodeVaultBinding;

  constructor(pipeline: Pipeline, tokens: TokenSource, binding: NodeVaultBinding) {
    this.#pipeline = pipeline;
    this.#tokens = tokens;
    this.#binding = binding;
  }

  get endpoint(): string {
    return this.#pipeline.endpoint;
  }

  /** Addresses of all endpoints. */
  get endpoints(): readonly string[] {
    return this.#pipeline.endpoints;
  }

  /** What is known of the endpoints; none without a connection. */
  get endpointStatus(): readonly VaultEndpointStatus[] {
    return this.#pipeline.endpointStatus;
  }

  /** The node-vault client of the application, for what this module has no method for. */
  get nodeVault(): NodeVaultClient {
    return this.#binding.clientFor(this.#tokens);
  }

  request(request: VaultRequest): Promise<VaultResponse> {
    return this.#binding.request(request, this.#tokens);
  }

  /** A client over the same pipeline with other tokens. */
  withTokens(tokens: TokenSource): VaultClient {
    return new VaultClient(this.#pipeline, tokens, this.#binding);
  }

  /** Closes every connection of the pipeline; later requests are rejected with `VaultClosedError`. */
  close(): Promise<void> {
    return this.#pipeline.close();
  }
}

/**
 * Loads node-vault and undici (importing this package loads neither), reads certificates, and connects nowhere.
 *
 * @param tokens supplies the token of every request that has none of its own
 * @throws VaultInvalidOptionError for certificates or a proxy that cannot be used
 * @internal
 */
export async function createVaultClient(
  options: ClientOptions,
  tokens: TokenSource,
  observer?: RequestObserver,
): Promise<VaultClient> {
  const connect = await prepareConnect(options, [options.endpoint, ...(options.otherEndpoints ?? [])]);
  const pipeline = new RequestPipeline(options, connect, observer);
  return new VaultClient(pipeline, tokens, new NodeVaultBinding(await loadNodeVault(), pipeline));
}
