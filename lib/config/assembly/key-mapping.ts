import type { JsonObject } from '../../client/response.js';
import type { Kv2Secret } from '../../engines/kv2.types.js';
import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError, VaultNotFoundError } from '../../errors/index.js';
import type { ConfigEntry } from '../configuration.js';
import { entryId } from '../configuration.js';
import { inOrderOfDots, pathOfName } from './dotted-names.js';
import { camelCase } from './key-case.js';
import { isKeyPath, isReservedKey } from '../reserved-keys.js';
import { MAX_NESTING } from '../plain.js';
import { quoted } from '../../errors/printable.js';
import type { ResolvedSource } from '../sources/vault-source.js';

/** A key of a secret and the names it goes by, containers first. @internal */
export interface MappedKey {
  readonly key: string;
  readonly path: ConfigEntry['path'];
}

/**
 * Which keys of a secret are taken, and under which names: `keys`, then `map`, `prefix`, `nest` and `as`. Two keys that
 * come to the same place, or one inside the other, are a failure: which one is meant cannot be known.
 *
 * @param containers where all of them go
 * @internal
 */
export function mapKeys(
  source: ResolvedSource,
  secret: Kv2Secret<JsonObject>,
  containers: readonly string[],
): { readonly keys: readonly MappedKey[]; readonly failures: readonly VaultError[] } {
  const failures: VaultError[] = [];
  const places = new Map<string, MappedKey>();
  const { map, keys, prefix, nest } = source;
  // Nothing is renamed, so nothing can be missing or collide.
  if (map === undefined && keys === undefined && prefix === undefined && nest === undefined) {
    const names = inOrderOfDots(Object.keys(secret.data));
    return { keys: names.map((key) => ({ key, path: placeOf(containers, [key]) })), failures };
  }
  const named = typeof map === 'object' ? Object.keys(map) : [];
  for (const key of inOrderOfDots([...new Set([...(keys ?? Object.keys(secret.data)), ...named])])) {
    if (!Object.hasOwn(secret.data, key)) {
      failures.push(missingKey(source, secret, key, keys?.includes(key) ? 'keys' : 'map'));
      continue;
    }
    const names = namesOf(source, key);
    if (names === undefined) continue;
    if (names instanceof VaultInvalidOptionError) {
      failures.push(names);
      continue;
    }
    const path = placeOf(containers, names);
    const other = places.get(entryId(path));
    if (other) failures.push(collision(source, other.key, key, path));
    else places.set(entryId(path), { key, path });
  }
  for (const { key, path } of places.values()) {
    for (let length = path.length - 1; length > containers.length; length--) {
      const other = places.get(entryId(path.slice(0, length)));
      if (other) failures.push(collision(source, other.key, key, other.path));
    }
    const way = containers.length === 0 && path.length === 1 ? pathOfName(path[0]) : path;
    const other = way.length > 1 ? places.get(entryId(way)) : undefined;
    if (other && other.key !== key) failures.push(collision(source, other.key, key, way));
  }
  return { keys: [...places.values()], failures };
}

/** Not a spread: there may be ten thousand, and what it makes takes up three times the space. */
function placeOf(containers: readonly string[], names: readonly string[]): ConfigEntry['path'] {
  return (containers.length === 0 ? names : containers.concat(names)) as unknown as ConfigEntry['path'];
}

/** The names of a key below the containers of its source; `undefined` when it is left out. */
function namesOf(source: ResolvedSource, key: string): readonly string[] | VaultInvalidOptionError | undefined {
  const { map, prefix = '', nest } = source;
  if (typeof map === 'function') {
    const name = callMap(map, key);
    if (name === undefined) return undefined;
    if (typeof name === 'string' && isKeyPath(name)) return name.split('.');
    return refusal(
      source,
      `"map" gives no usable name for the key ${quoted(key)}: it must return a name such as "DB_PASSWORD" or "database.password", or undefined.`,
    );
  }
  if (map !== undefined && Object.hasOwn(map, key)) return (map[key] as string).split('.');
  const name = prefix + key;
  const parts = nest === undefined ? [name] : name.split(nest, MAX_NESTING + 1);
  const flat = parts.length === 1 || parts.length > MAX_NESTING || parts.includes('');
  const names = flat ? [name] : parts.map(camelCase);
  return names.some(isReservedKey)
    ? refusal(source, `the key ${quoted(key)} would get a name that no configuration may have. Rename it with "map".`)
    : names;
}

/** What a function of the user's throws may quote anything; only that it did is told. */
function callMap(map: (key: string) => unknown, key: string): unknown {
  try {
    return map(key);
  } catch {
    return null;
  }
}

/** @internal */
export function missingKey(
  source: ResolvedSource,
  { version }: Kv2Secret<JsonObject>,
  key: string,
  option: string,
): VaultError {
  const { mountPath, secretPath } = source;
  return new VaultNotFoundError(
    `Secret "${secretPath}" in mount "${mountPath}"${version === 0 ? '' : ` (version ${version})`} has no key ${quoted(key)}. Add it, or take it out of "${option}".`,
    { path: `${mountPath}/data/${secretPath}`, mountPath },
  );
}

/** @internal */
export function collision(
  source: ResolvedSource,
  first: string,
  second: string,
  path: readonly string[],
  option = 'map',
): VaultError {
  return refusal(
    source,
    `the keys ${quoted(first)} and ${quoted(second)} both lead to ${quoted(path.join('.'))}. Rename one with "${option}", or leave it out.`,
  );
}

function refusal({ mountPath, secretPath }: ResolvedSource, why: string): VaultInvalidOptionError {
  return new VaultInvalidOptionError(`Secret "${secretPath}" in mount "${mountPath}": ${why}`, {
    path: `${mountPath}/data/${secretPath}`,
    mountPath,
  });
}
