import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { entryId } from '../configuration.js';
import { put } from './merge-entries.js';
import { placeOfOrigin } from '../origins/describe-origin.js';
import { isPlainObject, MAX_NESTING, plainAt } from '../plain.js';
import { quoted } from '../../errors/printable.js';
import { isReservedKey } from '../reserved-keys.js';

/** Where `ConfigService.get` goes with a name when no key is called so. @internal */
export function pathOfName(name: string): string[] {
  return name.includes('[')
    ? name.replace(/\[(?:"([^"\]]*)"|'([^'\]]*)'|([^\]]*))\]/g, '.$1$2$3').split('.')
    : name.split('.');
}

/**
 * First names of keys with dots, such as `database` of `database.password`, that are also a value or a container by
 * themselves. `ConfigService` has two places for such a key then: the key itself, and the one its dots lead to.
 *
 * @internal
 */
export function ambiguousNames(layers: readonly ConfigEntries[]): ReadonlySet<string> {
  const dotted = new Map<string, ConfigEntry[]>();
  const others = new Set<string>();
  for (const layer of layers) {
    layer.forEach((entry) => {
      const first = firstName(entry);
      if (!isDotted(entry)) others.add(first);
      else dotted.set(first, [...(dotted.get(first) ?? []), entry]);
    });
  }
  const ambiguous = new Set<string>();
  for (const [first, entries] of dotted) if (others.has(first) || haveObjectAround(entries)) ambiguous.add(first);
  return ambiguous;
}

/** The entries with those keys as the paths that their dots are. @internal */
export function nestNames(entries: ConfigEntries, ambiguous: ReadonlySet<string>): ConfigEntries {
  if (ambiguous.size === 0) return entries;
  const nested = new Map<string, ConfigEntry>();
  entries.forEach((entry, id) => {
    const path = nestedPath(entry, ambiguous);
    if (path === entry.path) put(nested, entry, id);
    else put(nested, { ...entry, path });
  });
  return nested;
}

/** The path of an entry among entries whose names are nested. @internal */
export function nestedPath(entry: ConfigEntry, ambiguous: ReadonlySet<string>): ConfigEntry['path'] {
  return isDotted(entry) && ambiguous.has(firstName(entry))
    ? (pathOfName(entry.path[0]) as unknown as ConfigEntry['path'])
    : entry.path;
}

/**
 * Keys with dots that cannot be nested: their path leads into a text, a number or a list, or has a name that no
 * configuration may have.
 *
 * @internal
 */
export function impossibleNames(layers: readonly ConfigEntries[], ambiguous: ReadonlySet<string>): VaultError[] {
  if (ambiguous.size === 0) return [];
  const values = layers.flatMap((layer) => [...layer.values()].filter((entry) => ambiguous.has(firstName(entry))));
  const byPlace = new Map<string, { readonly path: readonly string[]; readonly entries: ConfigEntry[] }>();
  for (const entry of values) {
    const path = nestedPath(entry, ambiguous);
    const id = entryId(path);
    byPlace.set(id, { path, entries: [...(byPlace.get(id)?.entries ?? []), entry] });
  }
  const failures: VaultError[] = [];
  for (const entry of values) {
    const path = nestedPath(entry, ambiguous);
    if (path.length > MAX_NESTING || (isDotted(entry) && path.some(isReservedKey))) {
      failures.push(refusal(entry, 'its dots lead to a place that no configuration may have'));
      continue;
    }
    const around = valueAround(entry, path, byPlace);
    if (around) {
      const other = `${placeOfOrigin(around.origin)} has ${quoted(around.path.join('.'))}`;
      failures.push(refusal(entry, `its place would be inside a value that is not an object: ${other}`));
    }
  }
  return failures;
}

/**
 * Names of one secret or factory in ascending precedence: a name with dots says more than the object it leads into.
 * @internal
 */
export function inOrderOfDots(names: readonly string[]): readonly string[] {
  if (!names.some(isDottedName)) return names;
  const depths = new Map(names.map((name) => [name, isDottedName(name) ? name.split(/[.[]/).length : 0]));
  return [...names].sort((one, other) => (depths.get(one) ?? 0) - (depths.get(other) ?? 0));
}

function isDotted({ path }: ConfigEntry): boolean {
  return path.length === 1 && isDottedName(path[0]);
}

function isDottedName(name: string): boolean {
  return name.includes('.') || /.\[/.test(name);
}

function firstName({ path: [name, ...others] }: ConfigEntry): string {
  return others.length === 0 ? (/^[^.[]*/.exec(name) as RegExpExecArray)[0] : name;
}

/** Whether an object is the value of a name that another one goes on from: `a.b` and `a.b.c`. */
function haveObjectAround(entries: readonly ConfigEntry[]): boolean {
  const objects = entries.filter(({ value }) => typeof value === 'object' && value !== null);
  const names = new Set(objects.map(({ path }) => path[0]));
  if (names.size === 0) return false;
  return entries.some(({ path: [name] }) => {
    const parts = name.split('.', MAX_NESTING);
    return parts.some(
      (_, index) => index > 0 && parts[index] !== undefined && names.has(parts.slice(0, index).join('.')),
    );
  });
}

/** A value in whose place a container would have to be, where a name with dots is involved. */
function valueAround(
  entry: ConfigEntry,
  path: readonly string[],
  places: ReadonlyMap<string, { readonly path: readonly string[]; readonly entries: readonly ConfigEntry[] }>,
): ConfigEntry | undefined {
  for (let length = path.length - 1; length > 0; length--) {
    const found = places.get(entryId(path.slice(0, length)));
    const inside = path.slice(length, -1);
    const blocking = found?.entries.find((other) => {
      if (!isDotted(entry) && !isDotted(other)) return false;
      return blocks(other.value, inside);
    });
    if (blocking) return blocking;
  }
  return undefined;
}

/** Whether something other than an object is at the beginning of this path, or anywhere on it. */
function blocks(value: unknown, path: readonly string[]): boolean {
  for (let length = 0; length <= path.length; length++) {
    const inner = plainAt(value, path.slice(0, length));
    if (inner === undefined) return length === 0 ? value !== undefined : false;
    if (!isPlainObject(inner)) return true;
  }
  return false;
}

function refusal(entry: ConfigEntry, why: string): VaultError {
  const { mountPath, secretPath } = entry.origin;
  return new VaultInvalidOptionError(
    `The key ${quoted(entry.path.join('.'))} of ${placeOfOrigin(entry.origin)} cannot be used: ${why}. Rename one of them, or leave it out with "keys" or "map".`,
    secretPath === '' ? {} : { path: `${mountPath}/data/${secretPath}`, mountPath },
  );
}
