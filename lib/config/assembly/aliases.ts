import { quoted } from '../../errors/printable.js';
import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { entryId, originInside } from '../configuration.js';
import { screamingCase } from './key-case.js';
import type { Nested } from '../plain.js';
import { isInsideItself, isPlainObject, MAX_NESTING, samePlain } from '../plain.js';

/** A value that is no container itself, and the way to it. @internal */
export interface Leaf {
  readonly path: readonly string[];
  readonly value: unknown;
}

/** The values in a value. Lists are values. @internal */
export function* leavesOf(leaf: Leaf): Generator<Leaf> {
  const queue: (Leaf & Nested)[] = [leaf];
  for (let next = queue.pop(); next; next = queue.pop()) {
    const { path, value } = next;
    if (!isPlainObject(value)) yield next;
    else if (path.length < MAX_NESTING && !isInsideItself(next)) {
      for (const [key, inner] of Object.entries(value))
        queue.push({ path: [...path, key], value: inner, around: next });
    }
  }
}

/**
 * The entries, and every value of those that ask for it under its name in capitals: `database.maxPoolSize` also as
 * `DATABASE_MAX_POOL_SIZE`. A key that is really there is never hidden by an alias.
 *
 * @returns also an error for each two different values with the same alias
 * @internal
 */
export function withAliases(
  entries: ConfigEntries,
  all: boolean,
): { readonly entries: ConfigEntries; readonly failures: readonly VaultError[] } {
  const aliases = new Map<string, ConfigEntry>();
  const holders = new Map<string, Leaf>();
  const failures: VaultError[] = [];
  for (const entry of entries.values()) {
    if (!all && !entry.aliases) continue;
    for (const leaf of leavesOf(entry)) {
      const { path, value } = leaf;
      const alias = aliasOf(path, entries);
      if (alias === undefined) continue;
      const holder = holders.get(alias);
      if (holder && !samePlain(holder.value, value)) failures.push(ambiguousAlias(alias, holder, leaf));
      holders.set(alias, leaf);
      aliases.set(alias, {
        path: [alias],
        value,
        origin: originInside(entry, path.slice(entry.path.length)),
        isAlias: true,
      });
    }
  }
  if (aliases.size === 0) return { entries, failures };
  const named = [...aliases.values()].map((entry) => [entryId(entry.path), entry] as const);
  return { entries: new Map([...entries, ...named]), failures };
}

/**
 * The alias of a value: none when a key of that name exists, or when a part of its path has nothing to put into capitals.
 * @internal
 */
export function aliasOf(path: readonly string[], entries: ConfigEntries): string | undefined {
  const alias = screamingCase(path);
  return path.every((name) => /[\p{L}\p{N}]/u.test(name)) && !entries.has(entryId([alias])) ? alias : undefined;
}

function ambiguousAlias(alias: string, one: Leaf, other: Leaf): VaultError {
  const [first, second] = [one, other].map(({ path }) => quoted(path.join('.'))) as [string, string];
  return new VaultInvalidOptionError(
    `${first} and ${second} hold different values and would both have the alias ${quoted(alias)}. Rename one with "map" in its source, or remove it.`,
  );
}
