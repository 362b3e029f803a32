import type { JsonObject } from '../client/response.js';
import { isJsonObject } from '../client/response.js';

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
