import { types } from 'node:util';
import { VaultInvalidOptionError } from '../errors/index.js';

/**
 * What will be stored: the data as an object that JSON can carry. Kinds of objects that JSON would empty are refused,
 * because the secret would be lost without a word.
 *
 * @throws VaultInvalidOptionError
 * @internal
 */
export function secretData(data: object): object {
  const object = typeof data === 'object' && data !== null && !Array.isArray(data);
  if (object && !types.isMap(data) && !types.isSet(data)) return data;
  throw new VaultInvalidOptionError('A secret is an object of keys and values; a list, a Map, a Set or null is none.');
}
