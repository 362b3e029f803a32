import { leavesOf } from './aliases.js';
import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { screamingCase } from './key-case.js';
import { copyPlain } from '../plain.js';
import { hiding, NO_SECRET } from '../origins/value-origin.js';
import { originalVariable } from '../../options/process-environment.js';

/**
 * Whether values of Vault or variables of the environment win.
 * @publicApi
 */
export type VaultPrecedence = 'vault' | 'env';

/** Finds the value of a variable, references in it resolved; `undefined` when it is not set. */
type FindVariable = (name: string) => { readonly value: unknown } | undefined;

/**
 * Entries with the environment's values in the place of their own, where a variable of the same name is set, or of the
 * name in capitals: `DATABASE_PASSWORD` for `database.password`.
 * @internal
 */
export function preferEnvironment(entries: ConfigEntries, find: FindVariable): ConfigEntries {
  return new Map([...entries].map(([id, entry]) => [id, overridden(entry, find)]));
}

function overridden(entry: ConfigEntry, find: FindVariable): ConfigEntry {
  const { path, origin } = entry;
  const own = variableOf(path, find);
  const whole = find(own);
  if (whole) {
    return { ...entry, value: whole.value, origin: hiding({ ...NO_SECRET, variable: own }, origin) };
  }
  const inner = [...leavesOf(entry)].flatMap((leaf) => {
    const variable = variableOf(leaf.path, find);
    const found = leaf.path.length > path.length ? find(variable) : undefined;
    return found ? [{ variable, inside: leaf.path.slice(path.length), value: found.value }] : [];
  });
  if (inner.length === 0) return entry;
  const value = copyPlain(entry.value) as Record<string, unknown>;
  for (const { inside: names, value: text } of inner) {
    let container = value;
    for (const name of names.slice(0, -1)) container = container[name] as Record<string, unknown>;
    container[names[names.length - 1] as string] = text;
  }
  return { ...entry, value, variables: inner.map(({ variable, inside }) => ({ variable, inside })) };
}

/** The variable of that very name, as `ConfigService` would find it; else the one of the name in capitals. */
function variableOf(path: readonly string[], find: FindVariable): string {
  const name = path.join('.');
  return find(name) ? name : screamingCase(path);
}

/** The same for what is not Vault's, where only the very same key counts: `port` and `PORT` are two things there. @internal */
export function preferVariable(entry: ConfigEntry, find: FindVariable): ConfigEntry {
  const { path } = entry;
  const name = path.join('.');
  const found = find(name);
  return found ? { ...entry, value: found.value, origin: { ...NO_SECRET, variable: name } } : entry;
}

/**
 * Leaves variables to `ConfigService` that it finds itself: there they have been through `ConfigModule`'s validation.
 * @internal
 */
export function withoutVariables(entries: ConfigEntries): ConfigEntries {
  return new Map(
    [...entries].filter(
      ([, { path, value, origin }]) =>
        path.length > 1 || origin.variable !== path[0] || originalVariable(path[0]) !== value,
    ),
  );
}
