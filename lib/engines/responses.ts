import { types } from 'node:util';
import type { Requester } from '../client/vault-client.js';
import type { JsonObject, VaultRequest } from '../client/vault-request.js';
import { isJsonObject } from '../client/vault-request.js';
import { VaultInvalidOptionError, VaultNotFoundError } from '../errors/index.js';
import { parseKeys } from './kv2-responses.js';

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

/**
 * Applies a JSON merge patch: `null` removes a key, objects merge, everything else replaces.
 * @see RFC 7396
 * @internal
 */
export function mergePatch(target: unknown, patch: JsonObject): JsonObject {
  // A null prototype while building: a key called __proto__ is just a key.
  const result = Object.assign(Object.create(null) as JsonObject, isJsonObject(target) ? target : {});
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = isJsonObject(value) ? mergePatch(result[key], value) : value;
  }
  return result;
}

/**
 * What will be stored: the data as an object that JSON can carry. Kinds of objects that JSON would empty are refused,
 * because the secret would be lost silently.
 *
 * @throws VaultInvalidOptionError
 * @internal
 */
export function secretData(data: object): object {
  const object = typeof data === 'object' && data !== null && !Array.isArray(data);
  if (object && !types.isMap(data) && !types.isSet(data)) return data;
  throw new VaultInvalidOptionError('A secret is an object of keys and values; a list, a Map, a Set or null is none.');
}
