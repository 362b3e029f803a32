import type { Environment } from '../../options/env-file.js';
import { originalVariable } from '../../options/process-environment.js';
import type { ConfigLeaf, Path } from '../config-tree.js';
import { ConfigTree } from '../config-tree.js';
import { NO_SECRET, originOfReference, overriding } from '../origins.js';
import { copyPlain, leavesOf } from '../plain.js';
import type { ReferenceResolver } from '../references/resolve-references.js';
import type { ReferenceText } from '../references/reference.js';
import { screamingCase } from './map-keys.js';

/**
 * Whether values of Vault or variables of the environment take precedence.
 * @publicApi
 */
export type VaultPrecedence = 'vault' | 'env';

/** Finds the value of a variable, references in it resolved; `undefined` when it is not set. @internal */
export type FindVariable = (name: string) => { readonly value: unknown } | undefined;

/** Environment variables that hold references, with the values that `ConfigService` must find instead. @internal */
export function resolveVariables(
  variables: ReadonlyMap<string, ReferenceText>,
  resolver: ReferenceResolver,
): ConfigTree {
  const tree = new ConfigTree();
  for (const [name, parts] of variables) {
    const resolved = resolver.resolve(parts, name);
    const origin = { ...originOfReference(resolved?.found), variable: name };
    tree.set({ path: [name], value: resolved?.value, origin });
  }
  return tree;
}

/** Finds variables as the application sees them. @internal */
export function variableFinder(environment: Environment, resolved: ConfigTree): FindVariable {
  return (name) => {
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    return value === undefined ? undefined : (resolved.leaf([name]) ?? { value });
  };
}

/**
 * A leaf with the environment's value instead of its own if a variable with its name is set, or with the name in capitals:
 * `DATABASE_PASSWORD` for `database.password`.
 * @internal
 */
export function preferEnvironment(leaf: ConfigLeaf, find: FindVariable): ConfigLeaf {
  const { path, origin } = leaf;
  const own = variableOf(path, find);
  const whole = find(own);
  if (whole) {
    return { ...leaf, value: whole.value, origin: overriding({ ...NO_SECRET, variable: own }, origin) };
  }
  const inner = [...leavesOf(leaf)].flatMap((part) => {
    const variable = variableOf(part.path, find);
    const found = part.path.length > path.length ? find(variable) : undefined;
    return found ? [{ variable, inside: part.path.slice(path.length), value: found.value }] : [];
  });
  if (inner.length === 0) return leaf;
  const value = copyPlain(leaf.value) as Record<string, unknown>;
  for (const { inside: names, value: text } of inner) {
    let container = value;
    for (const name of names.slice(0, -1)) container = container[name] as Record<string, unknown>;
    container[names[names.length - 1] as string] = text;
  }
  return { ...leaf, value, variables: inner.map(({ variable, inside }) => ({ variable, inside })) };
}

/** The variable with exactly this name, as `ConfigService` would find it; otherwise the one with the name in capitals. */
function variableOf(path: Path, find: FindVariable): string {
  const name = path.join('.');
  return find(name) ? name : screamingCase(path);
}

/** The same for values of factories, where only the exact name counts: `port` and `PORT` are two things there. @internal */
export function preferVariable(leaf: ConfigLeaf, find: FindVariable): ConfigLeaf {
  const name = leaf.path.join('.');
  const found = find(name);
  return found ? { ...leaf, value: found.value, origin: { ...NO_SECRET, variable: name } } : leaf;
}

/**
 * Leaves out variables that `ConfigService` finds itself: there they have been through `ConfigModule`'s validation.
 * @internal
 */
export function withoutVariables(tree: ConfigTree): ConfigTree {
  return tree.filter(
    ({ path: [name = '', ...others], value, origin }) =>
      others.length > 0 || origin.variable !== name || originalVariable(name) !== value,
  );
}
