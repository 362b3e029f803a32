import { aliasOf, leavesOf } from '../assembly/aliases.js';
import { partsOf, settle } from '../assembly/settle.js';
import type { ConfigEntries, ConfigEntry, HeldReads, LoadedConfiguration } from '../configuration.js';
import { entryId } from '../configuration.js';
import type { SecretFile } from '../files/secret-files.js';
import type { ConfigLayer } from '../config-layer.js';
import { secretsOf } from '../assembly/assemble.js';
import { mapKeys } from '../assembly/key-mapping.js';
import type { SecretRead, SecretReads } from '../sources/read-secrets.js';
import type { ResolvedSource } from '../sources/vault-source.js';
import { addressId, isSameSecret, secretId } from '../sources/read-secrets.js';
import { isPlainObject, samePlain } from '../plain.js';

/** Values in Vault that the application does not get, by key; `undefined` for a key that is no longer in Vault. @internal */
export type PendingValues = ReadonlyMap<string, unknown>;

type Values = Pick<LoadedConfiguration, 'files'> & {
  readonly entries: ConfigEntries;
  readonly variables: ConfigEntries;
};

/**
 * A new configuration in which only these keys are new, and everything else is as it was before. Another name of a value
 * stands for that value: an alias, the variable it is taken from, the path of its file.
 *
 * @param keys of `refresh.keys`, and of what has been added since
 * @param now without aliases
 * @param before `undefined` at boot
 * @param aliases whether all values have aliases
 * @internal
 */
export function keepOthers(
  keys: readonly string[],
  now: Values,
  before: Values | undefined,
  aliases: boolean,
): Values & { readonly pending: PendingValues } {
  const names = namesFor(keys, before ? [now, before] : [now], aliases);
  const current = takenApart(now.entries, names);
  if (!before) return { ...now, entries: current, pending: new Map() };

  const pending = new Map<string, unknown>();
  const entries = new Map<string, ConfigEntry>();
  // Each in its old place: the order is that of precedence.
  takenApart(before.entries, names).forEach((entry, id) => {
    const found = current.get(id);
    const name = nameOf(entry);
    const kept = names.have(name) ? found : entry;
    if (kept) entries.set(id, kept);
    if (kept === entry && !samePlain(entry.value, found?.value)) pending.set(name, found?.value);
  });
  current.forEach((entry, id) => {
    if (entries.has(id)) return;
    if (names.have(nameOf(entry)) && !isInsideValue(entry, entries)) entries.set(id, entry);
    else pending.set(nameOf(entry), entry.value);
  });

  const files = new Map<string, SecretFile>();
  for (const file of before.files) if (!isListed(file, names)) files.set(file.path, file);
  for (const file of now.files) {
    const kept = files.get(file.path);
    if (isListed(file, names)) files.set(file.path, file);
    else if (!kept?.content().equals(file.content())) pending.set(file.keys[0], file.content());
  }
  const variables = new Map(
    [...now.variables].map(([id, entry]) => [id, names.have(id) ? entry : (before.variables.get(id) ?? entry)]),
  );
  return { entries: settle(entries), variables, files: [...files.values()], pending };
}

/** Keys that are pending and were not with this value. @internal */
export function newlyPending(before: PendingValues, now: PendingValues): string[] {
  return [...now].flatMap(([key, value]) => (before.has(key) && samePlain(before.get(key), value) ? [] : [key]));
}

/** Of these keys, those that are no key of the configuration and lead to none. @internal */
export function unknownKeys(keys: readonly string[], entries: ConfigEntries): string[] {
  const known = new Set([...entries.values()].flatMap((entry) => prefixesOf(nameOf(entry))));
  return keys.filter((key) => !known.has(key));
}

/** The names of values that are refreshed. */
class Names {
  readonly #names: Set<string>;
  readonly #around = new Set<string>();

  constructor(names: Iterable<string>) {
    this.#names = new Set(names);
    for (const name of this.#names) for (const prefix of prefixesOf(name).slice(0, -1)) this.#around.add(prefix);
  }

  /** Whether this key, or a container it is in, is among them. */
  have(name: string): boolean {
    return prefixesOf(name).some((prefix) => this.#names.has(prefix));
  }

  /** Whether one of them is below this key. */
  areBelow(name: string): boolean {
    return this.#around.has(name);
  }
}

function namesFor(keys: readonly string[], all: readonly Values[], aliases: boolean): Names {
  const names = new Set(keys);
  let listed = new Names(names);
  const links = all.flatMap((values) => linksOf(values, aliases));
  for (let isComplete = false; !isComplete;) {
    const size = names.size;
    for (const [one, other] of links) {
      if (listed.have(one)) names.add(other);
      else if (listed.have(other)) names.add(one);
    }
    isComplete = names.size === size;
    listed = new Names(names);
  }
  return listed;
}

/** Pairs of names of one value. */
function linksOf({ entries, files }: Values, aliases: boolean): (readonly [string, string])[] {
  const links = files.flatMap(({ keys: [path, ...values] }) => values.map((key) => [path, key] as const));
  for (const entry of entries.values()) {
    const { origin, variables = [] } = entry;
    const name = nameOf(entry);
    if (origin.variable !== undefined && origin.variable !== name) links.push([name, origin.variable]);
    for (const { variable, inside } of variables) links.push([[name, ...inside].join('.'), variable]);
    if (!aliases && !entry.aliases) continue;
    for (const { path } of leavesOf(entry)) {
      const alias = aliasOf(path, entries);
      if (alias !== undefined) links.push([path.join('.'), alias]);
    }
  }
  return links;
}

/** The entries, with objects taken apart that only part of is refreshed. */
function takenApart(entries: ConfigEntries, names: Names): ConfigEntries {
  const apart = new Map<string, ConfigEntry>();
  const add = (entry: ConfigEntry): void => {
    const name = nameOf(entry);
    const parts = names.areBelow(name) && !names.have(name) ? partsOf(entry) : [];
    if (parts.length === 0) apart.set(entryId(entry.path), entry);
    else parts.forEach(add);
  };
  entries.forEach(add);
  return apart;
}

/** Whether a text, a number or a list is kept where this entry would need a container. */
function isInsideValue({ path }: ConfigEntry, entries: ConfigEntries): boolean {
  return path.some((_, index) => {
    const around = index === 0 ? undefined : entries.get(entryId(path.slice(0, index)));
    return around !== undefined && !isPlainObject(around.value);
  });
}

function isListed(file: SecretFile, names: Names): boolean {
  return file.keys.some((key) => names.have(key));
}

function nameOf({ path }: ConfigEntry): string {
  return path.join('.');
}

/** `a`, `a.b` and `a.b.c` for `a.b.c`. */
function prefixesOf(name: string): string[] {
  const parts = name.split('.');
  return parts.map((_, index) => parts.slice(0, index + 1).join('.'));
}

/** The entries without other names of values that have entries of their own. @internal */
export function withoutAliases(entries: ConfigEntries): ConfigEntries {
  return new Map([...entries].filter(([, { isAlias }]) => !isAlias));
}

interface PlacedValue {
  readonly path: readonly string[];
  readonly value: unknown;
  readonly secretId: string;
}

/** The values of a source by the `entryId` of their places. */
function placesOf(
  source: ResolvedSource,
  read: Extract<SecretRead, { readAt: Date }>,
  path: readonly string[],
): Map<string, PlacedValue> {
  const places = new Map<string, PlacedValue>();
  for (const part of secretsOf(source, read, path)) {
    for (const { key, path: place } of mapKeys(part.source, part.secret, part.containers).keys) {
      places.set(entryId(place), { path: place, value: part.secret.data[key], secretId: secretId(part.source) });
    }
  }
  return places;
}

/**
 * What sources that are not refreshed have in Vault and the application has not.
 *
 * @param entries values of other sources in the same place are the application's
 * @internal
 */
export function pendingOf(
  layers: readonly ConfigLayer[],
  entries: ConfigEntries,
  held: HeldReads,
  reads: SecretReads,
): PendingValues {
  const pending = new Map<string, unknown>();
  for (const { path, sources } of layers) {
    for (const source of sources) {
      const old = held.get(source);
      if (!old || old === reads) continue;
      const [was, is] = [old, reads].map((found) => found.get(addressId(source)));
      if (!is?.secret || isSameSecret(was?.secret, is.secret)) continue;
      const gone = was?.secret ? placesOf(source, was, path) : new Map<string, PlacedValue>();
      const present = placesOf(source, is, path);
      for (const [id, place] of new Map([...gone, ...present])) {
        const origin = entries.get(id)?.origin;
        const isOthers = origin !== undefined && secretId(origin) !== place.secretId;
        const value = present.get(id)?.value;
        if (!isOthers && !samePlain(gone.get(id)?.value, value)) pending.set(place.path.join('.'), value);
      }
    }
  }
  return pending;
}
