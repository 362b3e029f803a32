import { setMaxListeners } from 'node:events';
import type { client as NodeVaultClient } from 'node-vault';
import { createNodeVault } from './node-vault.binding.js';
import { sendWithToken } from './send-with-token.js';
import type { TokenSource } from './token-source.js';
import type { VaultError } from '../errors/index.js';
import { Transport } from './transport.js';
import type { TransportOptions } from './transport.options.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';

/** Sends requests: what login methods, and whatever else only sends, are given. @internal */
export interface Requester {
  /** The server in use. */
  readonly endpoint: string;
  /** @throws a `VaultError` for every failure: network, TLS, deadline, status, body */
  request(request: VaultRequest): Promise<VaultResponse>;
}

/**
 * The one door to the server: every request of the module goes through node-vault and our transport.
 * @internal
 */
export class VaultClient implements Requester {
  readonly #transport: Pick<Transport, 'endpoint' | 'endpoints' | 'close'>;
  readonly #during: <T>(call: Promise<T>) => Promise<T>;

  private constructor(
    transport: Pick<Transport, 'endpoint' | 'endpoints' | 'close'>,
    /** The node-vault client, for what this module has no method for. */
    readonly nodeVault: NodeVaultClient,
    during: <T>(call: Promise<T>) => Promise<T> = (call) => call,
  ) {
    this.#transport = transport;
    this.#during = during;
  }

  /**
   * Loads node-vault and undici (neither is loaded by importing this package) and prepares a pool; connects nowhere.
   *
   * @param tokens asked at every call that brings no token of its own
   */
  static async create(options: TransportOptions, tokens: TokenSource): Promise<VaultClient> {
    const transport = await Transport.create(options);
    const nodeVault = await createNodeVault(options.endpoint, (request) => {
      // Callers share one signal between many calls, and Node would warn of a leak from the eleventh on.
      if (request.signal instanceof EventTarget) setMaxListeners(0, request.signal);
      return request.token === undefined
        ? sendWithToken(transport, tokens, request, request.timeoutMs ?? options.timeoutMs)
        : transport.send(request);
    });
    return new VaultClient(transport, nodeVault);
  }

  /** A client that rejects every call with that error, and has no connection. */
  static async rejecting(error: (operation: string) => VaultError): Promise<VaultClient> {
    const transport = { endpoint: '', endpoints: [], close: () => Promise.resolve() };
    const nodeVault = await createNodeVault('http://vault.invalid', ({ operation, method, path }) =>
      Promise.reject(error(operation ?? `${method} ${path}`)),
    );
    return new VaultClient(transport, nodeVault);
  }

  /** The server in use. */
  get endpoint(): string {
    return this.#transport.endpoint;
  }

  /** All configured servers. */
  get endpoints(): readonly string[] {
    return this.#transport.endpoints;
  }

  /**
   * Makes one call.
   *
   * @throws a `VaultError` for every failure: network, TLS, deadline, status, body
   */
  request(request: VaultRequest): Promise<VaultResponse> {
    const call = { method: request.method, path: `/${request.path}`, vaultRequest: request };
    return this.#during(this.nodeVault.request(call) as Promise<VaultResponse>);
  }

  /** The same client for somebody whose calls are watched: each is shown to `during` while it is under way. */
  watched(during: <T>(call: Promise<T>) => Promise<T>): VaultClient {
    return new VaultClient(this.#transport, this.nodeVault, during);
  }

  /** Closes every connection; later calls are refused with `VaultClosedError`. */
  close(): Promise<void> {
    return this.#transport.close();
  }
}
