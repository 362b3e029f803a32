import type { ConfigLeaf, Path } from '../config-tree.js';
import { aliasOf, ConfigTree, partsOf } from '../config-tree.js';
import type { RetainedReads } from '../configuration.js';
import type { SecretFile } from '../files/secret-files.js';
import type { ConfigLayer } from '../plan.js';
import { secretsOf } from '../assembly/assemble.js';
import { mapKeys } from '../assembly/map-keys.js';
import { originOf } from '../origins.js';
import { isPlainObject, leavesOf, samePlain } from '../plain.js';
import type { SecretRead, SecretReads } from '../sources/read-secrets.js';
import { isSameSecret, isSecretAt } from '../sources/read-secrets.js';
import type { ResolvedSource } from '../sources/vault-source.js';

/** Values in Vault that the application does not get, by key; `undefined` for a key that has been removed from Vault. @internal */
export type PendingValues = ReadonlyMap<string, unknown>;

/** What `refresh.keys` applies to: values without aliases, variables that hold references, and files. @internal */
export interface RefreshableValues {
  readonly tree: ConfigTree;
  readonly referenceVariables: ConfigTree;
  readonly files: readonly SecretFile[];
}

/**
 * A configuration in which only these keys are new, and everything else is as it was before. Another name of a value stands
 * for that value: an alias, the variable it is taken from, the path of its file.
 *
 * @param keys of `refresh.keys`, and of namespaces added since
 * @param before `undefined` at boot
 * @param aliases whether all values have aliases
 * @internal
 */
export function keepOthers(
  keys: readonly string[],
  now: RefreshableValues,
  before: RefreshableValues | undefined,
  aliases: boolean,
): RefreshableValues & { readonly pending: PendingValues } {
  const names = namesFor(keys, before ? [now, before] : [now], aliases);
  const current = expanded(now.tree, names);
  if (!before) return { ...now, tree: current, pending: new Map() };

  const pending = new Map<string, unknown>();
  const tree = new ConfigTree();
  // In the old order, which is that of precedence.
  for (const leaf of expanded(before.tree, names).leaves()) {
    const found = current.leaf(leaf.path);
    const name = nameOf(leaf);
    const kept = names.have(name) ? found : leaf;
    if (kept) tree.set(kept);
    if (kept === leaf && !samePlain(leaf.value, found?.value)) pending.set(name, found?.value);
  }
  for (const leaf of current.leaves()) {
    if (tree.leaf(leaf.path)) continue;
    const around = tree.leafOn(leaf.path);
    // A text, a number or a list that is kept leaves no place for it.
    const isBlocked = around !== undefined && !isPlainObject(around.value);
    if (names.have(nameOf(leaf)) && !isBlocked) tree.set(leaf);
    else pending.set(nameOf(leaf), leaf.value);
  }

  const files = new Map<string, SecretFile>();
  for (const file of before.files) if (!isListed(file, names)) files.set(file.path, file);
  for (const file of now.files) {
    const kept = files.get(file.path);
    if (isListed(file, names)) files.set(file.path, file);
    else if (!kept?.content().equals(file.content())) pending.set(file.keys[0], file.content());
  }
  const referenceVariables = now.referenceVariables.map((leaf) =>
    names.have(nameOf(leaf)) ? leaf : (before.referenceVariables.leaf(leaf.path) ?? leaf),
  );
  return { tree, referenceVariables, files: [...files.values()], pending };
}

/** Keys that are pending now and were not pending with this value before. @internal */
export function newlyPending(before: PendingValues, now: PendingValues): string[] {
  return [...now].flatMap(([key, value]) => (before.has(key) && samePlain(before.get(key), value) ? [] : [key]));
}

/** The keys among these that the configuration does not have, neither as a value nor as a container. @internal */
export function unknownKeys(keys: readonly string[], tree: ConfigTree): string[] {
  const known = new Set([...tree.leaves()].flatMap((leaf) => prefixesOf(nameOf(leaf))));
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

  /** Whether this key, or a container around it, is among them. */
  have(name: string): boolean {
    return prefixesOf(name).some((prefix) => this.#names.has(prefix));
  }

  /** Whether one of them is below this key. */
  areBelow(name: string): boolean {
    return this.#around.has(name);
  }
}

function namesFor(keys: readonly string[], all: readonly RefreshableValues[], aliases: boolean): Names {
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

/** Pairs of names of the same value. */
function linksOf({ tree, files }: RefreshableValues, aliases: boolean): (readonly [string, string])[] {
  const links = files.flatMap(({ keys: [path, ...values] }) => values.map((key) => [path, key] as const));
  for (const leaf of tree.leaves()) {
    const { origin, variables = [] } = leaf;
    const name = nameOf(leaf);
    if (origin.variable !== undefined && origin.variable !== name) links.push([name, origin.variable]);
    for (const { variable, inside } of variables) links.push([[name, ...inside].join('.'), variable]);
    if (!aliases && !leaf.aliases) continue;
    for (const { path } of leavesOf(leaf)) {
      const alias = aliasOf(path, tree);
      if (alias !== undefined) links.push([path.join('.'), alias]);
    }
  }
  return links;
}

/** The tree with objects expanded of which only some values are refreshed. */
function expanded(tree: ConfigTree, names: Names): ConfigTree {
  const result = new ConfigTree();
  const add = (leaf: ConfigLeaf): void => {
    const name = nameOf(leaf);
    const parts = names.areBelow(name) && !names.have(name) ? partsOf(leaf) : [];
    if (parts.length === 0) result.set(leaf);
    else parts.forEach(add);
  };
  for (const leaf of tree.leaves()) add(leaf);
  return result;
}

function isListed(file: SecretFile, names: Names): boolean {
  return file.keys.some((key) => names.have(key));
}

function nameOf({ path }: ConfigLeaf): string {
  return path.join('.');
}

/** `a`, `a.b` and `a.b.c` for `a.b.c`. */
function prefixesOf(name: string): string[] {
  const parts = name.split('.');
  return parts.map((_, index) => parts.slice(0, index + 1).join('.'));
}

/**
 * Values in Vault that sources with `refresh: false` keep from the application.
 *
 * @param tree values of other sources in the same place are the application's
 * @internal
 */
export function pendingOf(
  layers: readonly ConfigLayer[],
  tree: ConfigTree,
  retained: RetainedReads,
  reads: SecretReads,
): PendingValues {
  const pending = new Map<string, unknown>();
  for (const { path, sources } of layers) {
    for (const source of sources) {
      const old = retained.get(source);
      if (!old || old === reads) continue;
      const [was, is] = [old, reads].map((found) => found.get(source));
      if (!is?.secret || isSameSecret(was?.secret, is.secret)) continue;
      const before = was?.secret ? leavesOfSource(source, was, path) : new Map<string, ConfigLeaf>();
      const after = leavesOfSource(source, is, path);
      for (const [id, leaf] of new Map([...before, ...after])) {
        const origin = tree.leaf(leaf.path)?.origin;
        const value = after.get(id)?.value;
        const isOwn = !origin || isSecretAt(origin, leaf.origin);
        if (isOwn && !samePlain(before.get(id)?.value, value)) pending.set(nameOf(leaf), value);
      }
    }
  }
  return pending;
}

/** The values of a source by their places. */
function leavesOfSource(
  source: ResolvedSource,
  read: Extract<SecretRead, { readAt: Date }>,
  path: Path,
): ReadonlyMap<string, ConfigLeaf> {
  const leaves = secretsOf(source, read, path).flatMap((part) => {
    const origin = originOf(part.source, { ...read, secret: part.secret });
    const { keys } = mapKeys(part.source, part.secret, part.containers);
    return keys.map((mapped) => ({ path: mapped.path, value: part.secret.data[mapped.key], origin }));
  });
  return new Map(leaves.map((leaf) => [JSON.stringify(leaf.path), leaf]));
}
