import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { quoted } from '../../errors/format.js';
import type { ConfigLeaf, Path } from '../config-tree.js';
import { PathMap } from '../config-tree.js';
import { placeOfOrigin } from '../origins.js';
import { isPlainObject, MAX_NESTING, plainAt } from '../plain.js';
import { isReservedKey } from '../reserved-keys.js';

/** The path that `ConfigService.get` follows for a name when no key has exactly this name. @internal */
export function pathOfName(name: string): string[] {
  return name.includes('[')
    ? name.replace(/\[(?:"([^"\]]*)"|'([^'\]]*)'|([^\]]*))\]/g, '.$1$2$3').split('.')
    : name.split('.');
}

/**
 * First names of keys with dots, such as `database` of `database.password`, that are also a value or a container. For such
 * a key `ConfigService` has two places: the key itself, and the one that its dots lead to.
 *
 * @internal
 */
export function ambiguousNames(layers: readonly (readonly ConfigLeaf[])[]): ReadonlySet<string> {
  const dotted = new Map<string, ConfigLeaf[]>();
  const others = new Set<string>();
  for (const layer of layers) {
    for (const leaf of layer) {
      const first = firstName(leaf);
      if (!isDotted(leaf)) others.add(first);
      else dotted.set(first, [...(dotted.get(first) ?? []), leaf]);
    }
  }
  const ambiguous = new Set<string>();
  for (const [first, leaves] of dotted) if (others.has(first) || includesContainer(leaves)) ambiguous.add(first);
  return ambiguous;
}

/** The leaf at the path that its dots lead to, if its first name is ambiguous. @internal */
export function nested(leaf: ConfigLeaf, ambiguous: ReadonlySet<string>): ConfigLeaf {
  return isDotted(leaf) && ambiguous.has(firstName(leaf))
    ? { ...leaf, path: pathOfName(leaf.path[0] as string) }
    : leaf;
}

/**
 * Errors for keys with dots that cannot be nested: their path leads into a text, a number or a list, or has a name that no
 * configuration may have.
 *
 * @internal
 */
export function impossibleNames(
  layers: readonly (readonly ConfigLeaf[])[],
  ambiguous: ReadonlySet<string>,
): VaultError[] {
  if (ambiguous.size === 0) return [];
  const values = layers
    .flatMap(withoutOverridden)
    .filter((leaf) => ambiguous.has(firstName(leaf)))
    .map((leaf) => ({ leaf, path: nested(leaf, ambiguous).path }));
  const byPath = new PathMap<ConfigLeaf[]>();
  for (const { leaf, path } of values) byPath.set(path, [...(byPath.get(path) ?? []), leaf]);
  const failures: VaultError[] = [];
  for (const { leaf, path } of values) {
    if (path.length > MAX_NESTING || (isDotted(leaf) && path.some(isReservedKey))) {
      failures.push(unusableKey(leaf, 'its dots lead to a place that no configuration may have'));
      continue;
    }
    const around = blockingLeaf(leaf, path, byPath);
    if (around) {
      const other = `${placeOfOrigin(around.origin)} has ${quoted(around.path.join('.'))}`;
      failures.push(unusableKey(leaf, `its place would be inside a value that is not an object: ${other}`));
    }
  }
  return failures;
}

/** Without values that a later one of the same layer replaces. */
function withoutOverridden(leaves: readonly ConfigLeaf[]): ConfigLeaf[] {
  const last = new PathMap<ConfigLeaf>();
  for (const leaf of leaves) last.set(leaf.path, leaf);
  return leaves.filter((leaf) => last.get(leaf.path) === leaf);
}

/**
 * Keys of one secret or factory in ascending precedence: a key with dots is more specific than the object it leads into.
 * @internal
 */
export function inOrderOfDots(names: readonly string[]): readonly string[] {
  if (!names.some(isDottedName)) return names;
  const depths = new Map(names.map((name) => [name, isDottedName(name) ? name.split(/[.[]/).length : 0]));
  return [...names].sort((one, other) => (depths.get(one) ?? 0) - (depths.get(other) ?? 0));
}

function isDotted({ path }: ConfigLeaf): boolean {
  return path.length === 1 && isDottedName(path[0] as string);
}

function isDottedName(name: string): boolean {
  return name.includes('.') || /.\[/.test(name);
}

function firstName({ path: [name = '', ...others] }: ConfigLeaf): string {
  return others.length === 0 ? (/^[^.[]*/.exec(name) as RegExpExecArray)[0] : name;
}

/** Whether the value of one name is an object that another name leads into: `a.b` and `a.b.c`. */
function includesContainer(leaves: readonly ConfigLeaf[]): boolean {
  const objects = leaves.filter(({ value }) => typeof value === 'object' && value !== null);
  const names = new Set(objects.map(({ path }) => path[0]));
  if (names.size === 0) return false;
  return leaves.some(({ path: [name = ''] }) => {
    const parts = name.split('.', MAX_NESTING);
    return parts.some((_, index) => index > 0 && names.has(parts.slice(0, index).join('.')));
  });
}

/** A value that is not an object where a container would have to be, if one of the two has a name with dots. */
function blockingLeaf(
  leaf: ConfigLeaf,
  path: Path,
  byPath: Pick<PathMap<readonly ConfigLeaf[]>, 'get'>,
): ConfigLeaf | undefined {
  for (let length = path.length - 1; length > 0; length--) {
    const inside = path.slice(length, -1);
    const blocking = byPath
      .get(path.slice(0, length))
      ?.find((other) => (isDotted(leaf) || isDotted(other)) && isBlocked(other.value, inside));
    if (blocking) return blocking;
  }
  return undefined;
}

/** Whether something other than an object is at the beginning of this path, or anywhere on it. */
function isBlocked(value: unknown, path: Path): boolean {
  for (let length = 0; length <= path.length; length++) {
    const inner = plainAt(value, path.slice(0, length));
    if (inner === undefined) return length === 0 ? value !== undefined : false;
    if (!isPlainObject(inner)) return true;
  }
  return false;
}

function unusableKey(leaf: ConfigLeaf, why: string): VaultError {
  const { mountPath, secretPath } = leaf.origin;
  return new VaultInvalidOptionError(
    `The key ${quoted(leaf.path.join('.'))} of ${placeOfOrigin(leaf.origin)} cannot be used: ${why}. Rename one of them, or leave it out with "keys" or "map".`,
    secretPath === '' ? {} : { path: `${mountPath}/data/${secretPath}`, mountPath },
  );
}
