import type { JsonObject } from '../../client/vault-request.js';
import type { Kv2Secret } from '../../engines/kv2-responses.js';
import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError, VaultNotFoundError } from '../../errors/index.js';
import { quoted } from '../../errors/format.js';
import type { Path } from '../config-tree.js';
import { PathMap } from '../config-tree.js';
import { MAX_NESTING } from '../plain.js';
import { isKeyPath, isReservedKey } from '../reserved-keys.js';
import type { ResolvedSource } from '../sources/vault-source.js';
import { inOrderOfDots, pathOfName } from './dotted-names.js';

/** `MAX_POOL_SIZE` as `maxPoolSize`; a name that is not all capitals stays as it is. @internal */
export function camelCase(name: string): string {
  if (/\p{Ll}/u.test(name)) return name;
  return name.toLowerCase().replace(/(?<=.)[_-]+(.)/gu, (_, letter: string) => letter.toUpperCase());
}

/**
 * Names, containers first, as one variable of the environment would be called: `database`, `maxPoolSize` as
 * `DATABASE_MAX_POOL_SIZE`. Any other character than a letter or digit becomes `_`.
 * @internal
 */
export function screamingCase(path: readonly string[]): string {
  return path
    .join('_')
    .replace(/(\p{Ll}|\d)(?=\p{Lu})|(\p{Lu})(?=\p{Lu}\p{Ll})/gu, '$&_')
    .replace(/[^\p{L}\p{N}]+/gu, '_')
    .toUpperCase();
}

/** A key of a secret and its path in the configuration. @internal */
export interface MappedKey {
  readonly key: string;
  readonly path: Path;
}

/**
 * Decides which keys of a secret are used and under which names, by `keys`, then `map`, `prefix`, `nest` and `as`. It is a
 * failure if two keys lead to the same place, or one to a place inside the other: the intended one cannot be known.
 *
 * @param containers path that all keys go below
 * @internal
 */
export function mapKeys(
  source: ResolvedSource,
  secret: Kv2Secret<JsonObject>,
  containers: readonly string[],
): { readonly keys: readonly MappedKey[]; readonly failures: readonly VaultError[] } {
  const failures: VaultError[] = [];
  const { map, keys, prefix, nest } = source;
  // Nothing is renamed, so that no key can be missing and no two can collide.
  if (map === undefined && keys === undefined && prefix === undefined && nest === undefined) {
    const names = inOrderOfDots(Object.keys(secret.data));
    return { keys: names.map((key) => ({ key, path: placeOf(containers, [key]) })), failures };
  }
  const keyAt = new PathMap<string>();
  const named = typeof map === 'object' ? Object.keys(map) : [];
  const mapped: MappedKey[] = [];
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
    const other = keyAt.get(path);
    if (other !== undefined) failures.push(collision(source, other, key, path));
    else {
      mapped.push({ key, path });
      keyAt.set(path, key);
    }
  }
  for (const { key, path } of mapped) {
    for (let length = path.length - 1; length > containers.length; length--) {
      const around = path.slice(0, length);
      const other = keyAt.get(around);
      if (other !== undefined) failures.push(collision(source, other, key, around));
    }
    const nested = containers.length === 0 && path.length === 1 ? pathOfName(path[0] as string) : path;
    const other = nested.length > 1 ? keyAt.get(nested) : undefined;
    if (other !== undefined && other !== key) failures.push(collision(source, other, key, nested));
  }
  return { keys: mapped, failures };
}

/** Not a spread, whose result takes three times the space: there may be ten thousand keys. */
function placeOf(containers: Path, names: Path): Path {
  return containers.length === 0 ? names : containers.concat(names);
}

/** The path of a key below the containers of its source; `undefined` if `map` leaves it out. */
function namesOf(source: ResolvedSource, key: string): readonly string[] | VaultInvalidOptionError | undefined {
  const { map, prefix = '', nest } = source;
  if (typeof map === 'function') {
    const name = callMap(map, key);
    if (name === undefined) return undefined;
    if (typeof name === 'string' && isKeyPath(name)) return name.split('.');
    return invalidKey(
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
    ? invalidKey(
        source,
        `the key ${quoted(key)} would get a name that no configuration may have. Rename it with "map".`,
      )
    : names;
}

/** Errors of the user's function are not passed on: their text may quote anything. */
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
  return invalidKey(
    source,
    `the keys ${quoted(first)} and ${quoted(second)} both lead to ${quoted(path.join('.'))}. Rename one with "${option}", or leave it out.`,
  );
}

function invalidKey({ mountPath, secretPath }: ResolvedSource, why: string): VaultInvalidOptionError {
  return new VaultInvalidOptionError(`Secret "${secretPath}" in mount "${mountPath}": ${why}`, {
    path: `${mountPath}/data/${secretPath}`,
    mountPath,
  });
}
