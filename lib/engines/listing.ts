import type { VaultClient } from '../client/vault-client.js';
import type { VaultRequest } from '../client/vault-request.js';
import { VaultNotFoundError } from '../errors/index.js';
import { parseKeys } from './kv2.parse.js';

/**
 * Lists the names below a path. Where nothing is, the list is empty; where no such engine is, it is an error.
 * @internal
 */
export async function listKeys(client: VaultClient, request: VaultRequest): Promise<string[]> {
  const call = { ...request, query: { list: true } };
  try {
    return parseKeys(await client.request(call), call);
  } catch (error) {
    if (error instanceof VaultNotFoundError && error.nothingStored) return [];
    throw error;
  }
}
