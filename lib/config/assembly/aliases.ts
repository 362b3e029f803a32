import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { entryId, originInside } from '../configuration.js';
import { screamingCase } from './key-case.js';
import type { Nested } from '../plain.js';
import { isInsideItself, isPlainObject, MAX_NESTING } from '../plain.js';

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
 * `DATABASE_MAX_POOL_SIZE`. A key that is really there is never hidden by an alias; of two values with the same alias,
 * the one of higher precedence has it.
 * @internal
 */
export function withAliases(entries: ConfigEntries, all: boolean): ConfigEntries {
  const aliases = new Map<string, ConfigEntry>();
  for (const entry of entries.values()) {
    if (!all && !entry.aliases) continue;
    for (const { path, value } of leavesOf(entry)) {
      const alias = screamingCase(path);
      if (alias !== '' && !entries.has(entryId([alias])))
        aliases.set(alias, {
          path: [alias],
          value,
          origin: originInside(entry, path.slice(entry.path.length)),
          isAlias: true,
        });
    }
  }
  return aliases.size === 0
    ? entries
    : new Map([...entries, ...[...aliases.values()].map((entry) => [entryId(entry.path), entry] as const)]);
}
