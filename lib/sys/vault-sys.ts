import type { VaultClient } from '../client/vault-client.js';
import type { VaultCallOptions } from '../engines/engine.options.js';
import { callOptions } from '../engines/engine.options.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import { readOptions } from '../options/check-options.js';
import type { VaultHealth, VaultSealStatus } from './server-state.js';
import { HEALTH_CODES, parseHealth, parseSealStatus } from './server-state.js';
import type { VaultUnsealOptions, VaultUnsealResult } from './unseal.js';
import { unsealServer } from './unseal.js';

/**
 * The server itself: health, seal status, unsealing. Nothing here needs a token.
 * @see https://openbao.org/api-docs/system/
 * @publicApi
 */
export class VaultSys {
  /** @internal */
  constructor(
    private readonly client: VaultClient,
    private readonly connect: (endpoint: string) => Promise<VaultClient>,
  ) {}

  /** Reads the health of the server in use. Standby, sealed and similar states are results, not errors. */
  async health(options?: VaultCallOptions): Promise<VaultHealth> {
    const call = {
      method: 'GET',
      path: 'sys/health',
      operation: 'read the health',
      token: null,
      namespace: '',
      accept: HEALTH_CODES,
      ...withoutNamespace(options),
    } as const;
    return parseHealth(await this.client.request(call), call);
  }

  /** Reads whether the server is initialized and sealed. */
  async sealStatus(options?: VaultCallOptions): Promise<VaultSealStatus> {
    const call = {
      method: 'GET',
      path: 'sys/seal-status',
      operation: 'read the seal status',
      token: null,
      namespace: '',
      ...withoutNamespace(options),
    } as const;
    return parseSealStatus(await this.client.request(call), call);
  }

  /**
   * Unseals one or more servers, one after the other.
   *
   * A server that is already unsealed gets no key and is reported as such. Keys are submitted one by one, only as many
   * as are needed. Without `endpoints`, all servers of the module are unsealed.
   * @param keys unseal keys, in base64 or hex as `operator init` printed them
   * @throws VaultNotInitializedError when there is nothing to unseal yet
   * @throws VaultSealedError when the keys did not suffice
   * @throws VaultRequestError when the server rejects a key
   */
  async unseal(keys: readonly string[], options: VaultUnsealOptions = {}): Promise<VaultUnsealResult[]> {
    const { endpoints: given, ...more } = readOptions(options, ['endpoints', 'reset', 'onProgress', 'signal']);
    const endpoints = given ?? this.client.endpoints;
    if (!given && endpoints.length === 1) return [await unsealServer(this.client, keys, more)];
    if (!Array.isArray(endpoints) || !endpoints.every((endpoint) => typeof endpoint === 'string'))
      throw new VaultInvalidOptionError('"endpoints" must be a list of addresses.');
    if (endpoints.length === 0) throw new VaultInvalidOptionError('"endpoints" names no server to unseal.');
    const results: VaultUnsealResult[] = [];
    // One after the other: with Raft storage a node joins the quorum of those that are open already.
    for (const endpoint of endpoints) {
      const client = await this.connect(endpoint);
      try {
        results.push(await unsealServer(client, keys, more));
      } finally {
        await client.close();
      }
    }
    return results;
  }
}

/** These endpoints exist in the root namespace only. */
function withoutNamespace(options: VaultCallOptions | undefined): Omit<VaultCallOptions, 'namespace'> {
  const { namespace: _, ...others } = callOptions(options);
  return others;
}
