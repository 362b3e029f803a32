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
 * Health, seal status and unsealing of a server. No method needs a token.
 * @see https://openbao.org/api-docs/system/
 * @publicApi
 */
export class VaultSys {
  /** @internal */
  constructor(
    private readonly client: VaultClient,
    private readonly connect: (endpoint: string) => Promise<VaultClient>,
  ) {}

  /** Reads the health of the current server. States such as standby and sealed are results, not errors. */
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

  /** Reads whether the current server is initialized and sealed. */
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
   * Unseals one or more servers; by default, all endpoints of the module.
   *
   * Keys are submitted one at a time until the server is unsealed. No key is sent to a server that is already unsealed.
   *
   * @param keys unseal keys in base64 or hex, as `operator init` prints them
   * @returns one result per server, in order
   * @throws VaultNotInitializedError if a server is not initialized
   * @throws VaultSealedError if a server needs more keys than given
   * @throws VaultRequestError if a server rejects a key
   * @throws VaultInvalidOptionError if `keys` or an option is invalid
   */
  async unseal(keys: readonly string[], options: VaultUnsealOptions = {}): Promise<VaultUnsealResult[]> {
    const { endpoints: given, ...more } = readOptions(options, ['endpoints', 'reset', 'onProgress', 'signal']);
    const endpoints = given ?? this.client.endpoints;
    if (!given && endpoints.length === 1) return [await unsealServer(this.client, keys, more)];
    if (!Array.isArray(endpoints) || !endpoints.every((endpoint) => typeof endpoint === 'string'))
      throw new VaultInvalidOptionError('"endpoints" must be a list of addresses.');
    if (endpoints.length === 0) throw new VaultInvalidOptionError('"endpoints" names no server to unseal.');
    const results: VaultUnsealResult[] = [];
    // Sequential: with Raft storage, a node joins the quorum of the nodes already unsealed.
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

/** These API paths exist only in the root namespace. */
function withoutNamespace(options: VaultCallOptions | undefined): Omit<VaultCallOptions, 'namespace'> {
  const { namespace: _, ...others } = callOptions(options);
  return others;
}
