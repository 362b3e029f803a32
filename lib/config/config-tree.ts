import type { JsonObject } from '../client/vault-request.js';
import type { VaultError } from '../errors/index.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import { quoted } from '../errors/format.js';
import { screamingCase } from './assembly/map-keys.js';
import type { Origin } from './origins.js';
import { NO_SECRET, overriding } from './origins.js';
import { copyPlain, isPlainObject, leavesOf, plainAt, samePlain } from './plain.js';

/** Names from the outermost container to the key. A name may contain dots. @internal */
export type Path = readonly string[];

/** One value of the configuration. @internal */
export interface ConfigLeaf {
  readonly path: Path;
  readonly value: unknown;
  readonly origin: Origin;
  /** Whether the value is also available under its name in capitals. */
  readonly aliases?: boolean | undefined;
  /** Whether it is another name of a value that has a leaf of its own. */
  readonly isAlias?: boolean | undefined;
  /** Environment variables that replaced parts of the value, and the path of each part. */
  readonly variables?: readonly { readonly variable: string; readonly inside: Path }[] | undefined;
}

/** A place whose value differs between two trees. @internal */
export interface ConfigDifference {
  readonly path: Path;
  readonly before: ConfigLeaf | undefined;
  readonly after: ConfigLeaf | undefined;
}

type Branch = Map<string, ConfigLeaf | Branch>;

/**
 * Configuration values by path, in ascending precedence. Each place is a value or a container of other places, never both:
 *
 * - A value set in the place of another one overrides it.
 * - A value set inside a plain object is merged with it: the object is expanded into its values first.
 * - A value set inside anything else, such as a text or a list, overrides that.
 * - A value set in the place of a container overrides everything in it.
 *
 * Built once, then only read.
 * @internal
 */
export class ConfigTree {
  readonly #root: Branch = new Map();
  /** The order of a set is that of its insertions: a value that overrides another one comes last. */
  readonly #leaves = new Set<ConfigLeaf>();

  /** Origins of values that a value above or below their place has overridden, for a later value in the same place. */
  readonly #overridden = new PathMap<Origin>();

  /** @param leaves in ascending precedence */
  static of(leaves: Iterable<ConfigLeaf>): ConfigTree {
    const tree = new ConfigTree();
    for (const leaf of leaves) tree.set(leaf);
    return tree;
  }

  get size(): number {
    return this.#leaves.size;
  }

  /** All values, in ascending precedence. */
  leaves(): Iterable<ConfigLeaf> {
    return this.#leaves;
  }

  /** Values at a path and below it, in ascending precedence. */
  leavesBelow(path: Path): ConfigLeaf[] {
    return this.#node(path) === undefined ? [] : [...this.#leaves].filter((leaf) => isWithin(leaf.path, path));
  }

  /** Names of the top level: values and containers. */
  names(): Iterable<string> {
    return this.#root.keys();
  }

  /** The value at exactly this path. */
  leaf(path: Path): ConfigLeaf | undefined {
    const node = this.#node(path);
    return node instanceof Map ? undefined : node;
  }

  /** Whether the path is a value or a container. */
  has(path: Path): boolean {
    return this.#node(path) !== undefined;
  }

  /** Whether the path is a container. */
  hasContainer(path: Path): boolean {
    return this.#node(path) instanceof Map;
  }

  /** The value at the path, or the one that the path leads into. */
  leafOn(path: Path): ConfigLeaf | undefined {
    let node: ConfigLeaf | Branch | undefined = this.#root;
    for (const name of path) {
      node = node.get(name);
      if (!(node instanceof Map)) return node;
    }
    return undefined;
  }

  /**
   * Finds a key as `ConfigService.get` does: the key itself, then along its dots.
   *
   * @returns the value and the path inside it
   */
  resolve(key: string): { readonly leaf: ConfigLeaf; readonly inside: Path } | undefined {
    const names = key.split('.');
    let leaf = this.leaf([key]);
    if (leaf) return { leaf, inside: [] };
    leaf = this.leafOn(names);
    const inside = leaf ? names.slice(leaf.path.length) : [];
    if (leaf && plainAt(leaf.value, inside) !== undefined) return { leaf, inside };
    // A key with dots inside a container, which only `origins()` gives this name.
    for (const other of this.#leaves) if (other.path.join('.') === key) return { leaf: other, inside: [] };
    return undefined;
  }

  /** Adds a value by the rules above. */
  set(leaf: ConfigLeaf): void {
    const { path } = leaf;
    const last = path.length - 1;
    let branch = this.#root;
    for (let index = 0; index < last; index++) branch = this.#branchIn(branch, path[index] as string);
    const name = path[last] as string;
    const overridden = this.#clear(path, branch.get(name));
    const placed = overridden.length === 0 ? leaf : { ...leaf, origin: overridden.reduce(overriding, leaf.origin) };
    branch.set(name, placed);
    this.#leaves.add(placed);
  }

  /** Values that are new, different, or gone in `next`. */
  diff(next: ConfigTree): ConfigDifference[] {
    const differences: ConfigDifference[] = [];
    for (const after of next.#leaves) {
      const before = this.leaf(after.path);
      if (!before || !samePlain(before.value, after.value)) differences.push({ path: after.path, before, after });
    }
    for (const before of this.#leaves) {
      if (!next.leaf(before.path)) differences.push({ path: before.path, before, after: undefined });
    }
    return differences;
  }

  /** The values that fulfil a condition. */
  filter(accepts: (leaf: ConfigLeaf) => boolean): ConfigTree {
    return ConfigTree.of([...this.#leaves].filter(accepts));
  }

  /** Every value transformed in its place. */
  map(transform: (leaf: ConfigLeaf) => ConfigLeaf): ConfigTree {
    const mapped = new ConfigTree();
    this.#leaves.forEach((leaf) => mapped.set(transform(leaf)));
    return mapped;
  }

  /** A new object of all values: applications that share a tree must not share objects. */
  toObject(): JsonObject {
    const values: JsonObject = {};
    this.#leaves.forEach(({ path, value }) => {
      const container = path.length === 1 ? values : containerAt(values, path.slice(0, -1));
      container[path[path.length - 1] as string] = copyPlain(value);
    });
    return values;
  }

  #node(path: Path): ConfigLeaf | Branch | undefined {
    let node: ConfigLeaf | Branch | undefined = this.#root;
    for (const name of path) {
      if (!(node instanceof Map)) return undefined;
      node = node.get(name);
    }
    return node;
  }

  /** The container of this name. A plain object in its place becomes one; any other value is overridden. */
  #branchIn(around: Branch, name: string): Branch {
    const present = around.get(name);
    if (present instanceof Map) return present;
    const branch: Branch = new Map();
    around.set(name, branch);
    if (present === undefined) return branch;
    this.#leaves.delete(present);
    this.#overridden.set(present.path, present.origin);
    for (const part of partsOf(present)) {
      branch.set(part.path[part.path.length - 1] as string, part);
      this.#leaves.add(part);
    }
    return branch;
  }

  /** Removes what is at a path. @returns the distinct origins of the values that are or were there */
  #clear(path: Path, node: ConfigLeaf | Branch | undefined): readonly Origin[] {
    if (node !== undefined && !(node instanceof Map)) {
      this.#leaves.delete(node);
      return [node.origin];
    }
    const before = this.#overridden.get(path);
    const origins = new Set<Origin>(before && [before]);
    const queue = node === undefined ? [] : [node];
    for (let next = queue.pop(); next; next = queue.pop()) {
      for (const inner of next.values()) {
        if (inner instanceof Map) queue.push(inner);
        else {
          this.#leaves.delete(inner);
          this.#overridden.set(inner.path, inner.origin);
          origins.add(inner.origin);
        }
      }
    }
    return [...origins];
  }
}

/** Values by path. @internal */
export class PathMap<T> {
  // Joined names would be ambiguous: a name may contain any character.
  readonly #values = new Map<string, T>();

  get(path: Path): T | undefined {
    return this.#values.size === 0 ? undefined : this.#values.get(JSON.stringify(path));
  }

  set(path: Path, value: T): void {
    this.#values.set(JSON.stringify(path), value);
  }
}

/** Whether a path is this one or below it. @internal */
export function isWithin(path: Path, container: Path): boolean {
  return container.every((name, index) => path[index] === name);
}

/** The values of an object as leaves of their own; empty for anything else. @internal */
export function partsOf(whole: ConfigLeaf): ConfigLeaf[] {
  const { path, value, aliases, variables = [] } = whole;
  if (!isPlainObject(value)) return [];
  return Object.entries(value).map(([key, inner]) => ({
    path: [...path, key],
    value: inner,
    origin: originInside(whole, [key]),
    aliases,
    variables: variables.flatMap(({ variable, inside: [first, ...inside] }) =>
      first === key && inside.length > 0 ? [{ variable, inside }] : [],
    ),
  }));
}

/** Where a value inside a leaf came from. @internal */
export function originInside({ origin, variables = [] }: ConfigLeaf, inside: Path): Origin {
  const found = variables.find((other) => other.inside.length === inside.length && isWithin(other.inside, inside));
  return found ? overriding({ ...NO_SECRET, variable: found.variable }, origin) : origin;
}

/** The object at a path, created where it is missing. @internal */
export function containerAt(values: JsonObject, path: Path): JsonObject {
  let container = values;
  for (const part of path) {
    const existing = Object.hasOwn(container, part) ? container[part] : undefined;
    const next = typeof existing === 'object' && existing !== null ? (existing as JsonObject) : {};
    container[part] = next;
    container = next;
  }
  return container;
}

/**
 * The tree with every value of the leaves that have `aliases` under its name in capitals as well: `database.maxPoolSize`
 * also as `DATABASE_MAX_POOL_SIZE`. An alias never takes the place of a key.
 *
 * @param all whether all leaves have aliases
 * @returns also an error for each two different values with the same alias
 * @internal
 */
export function withAliases(
  tree: ConfigTree,
  all: boolean,
): { readonly tree: ConfigTree; readonly failures: readonly VaultError[] } {
  const aliases = new Map<string, ConfigLeaf>();
  const owners = new Map<string, { readonly path: Path; readonly value: unknown }>();
  const failures: VaultError[] = [];
  for (const leaf of tree.leaves()) {
    if (!all && !leaf.aliases) continue;
    for (const inner of leavesOf(leaf)) {
      const { path, value } = inner;
      const alias = aliasOf(path, tree);
      if (alias === undefined) continue;
      const owner = owners.get(alias);
      if (owner && !samePlain(owner.value, value)) failures.push(ambiguousAlias(alias, owner.path, path));
      owners.set(alias, inner);
      const origin = originInside(leaf, path.slice(leaf.path.length));
      aliases.set(alias, { path: [alias], value, origin, isAlias: true });
    }
  }
  return { tree: aliases.size === 0 ? tree : ConfigTree.of([...tree.leaves(), ...aliases.values()]), failures };
}

/**
 * The alias of a value: none when a key has that name, or when a name on its path has neither letters nor digits.
 * @internal
 */
export function aliasOf(path: Path, tree: ConfigTree): string | undefined {
  const alias = screamingCase(path);
  return path.every((name) => /[\p{L}\p{N}]/u.test(name)) && !tree.has([alias]) ? alias : undefined;
}

function ambiguousAlias(alias: string, one: Path, other: Path): VaultError {
  const [first, second] = [one, other].map((path) => quoted(path.join('.'))) as [string, string];
  return new VaultInvalidOptionError(
    `${first} and ${second} hold different values and would both have the alias ${quoted(alias)}. Rename one with "map" in its source, or remove it.`,
  );
}
