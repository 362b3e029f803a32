import type { Requester } from '../client/vault-client.js';
import type { VaultRequest } from '../client/vault-request.js';
import { VaultNotFoundError } from '../errors/index.js';
import { parseKeys } from './kv2.parse.js';

/** The query of a list request. @internal */
export const LIST: VaultRequest['query'] = { list: true };

/**
 * Lists the names below a path. Where nothing is stored, the list is empty; where no such engine is, it is an error.
 *
 * @param call with the query `LIST`
 * @internal
 */
export async function listKeys(client: Requester, call: VaultRequest): Promise<string[]> {
  try {
    return parseKeys(await client.request(call), call);
  } catch (error) {
    if (error instanceof VaultNotFoundError && error.nothingStored) return [];
    throw error;
  }
}
