import type { Environment } from '../../options/env-file.js';
import type { FactoryValues } from '../sources/config-factories.js';
import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { entryId } from '../configuration.js';
import type { KnownReferences } from '../references/known-references.js';
import type { FoundSecret, ReferenceResolver } from '../references/reference-resolver.js';
import type { ReferenceText } from '../references/reference-syntax.js';
import { inOrderOfDots } from './dotted-names.js';
import type { Origin } from '../origins/value-origin.js';
import { NO_SECRET, originOf } from '../origins/value-origin.js';
import { secretId } from '../sources/read-secrets.js';

/** Shorter texts say nothing about where they come from. */
const MIN_TELLING_LENGTH = 6;

/** Variables with references in them, resolved: what `ConfigService` must find instead of the references. @internal */
export function variableEntries(
  variables: ReadonlyMap<string, ReferenceText>,
  resolver: ReferenceResolver,
): Map<string, ConfigEntry> {
  const entries = new Map<string, ConfigEntry>();
  for (const [name, parts] of variables) {
    const resolved = resolver.resolve(parts, name);
    const origin = { ...originOfReference(resolved?.found), variable: name };
    entries.set(name, { path: [name], value: resolved?.value, origin });
  }
  return entries;
}

/**
 * What factories have made, references in it resolved.
 *
 * @param variables that hold references: a value that is the text of just one of them comes from its secret
 * @internal
 */
export function factoryEntries(
  loaded: readonly FactoryValues[],
  resolver: ReferenceResolver | undefined,
  known: KnownReferences,
  variables: ConfigEntries,
  environment: Environment,
): ConfigEntry[] {
  const parse = (text: string) => known.parse(text);
  const origins = originsOfTexts(variables, environment);
  return loaded.flatMap(({ option, path: containers, values }) =>
    inOrderOfDots(Object.keys(values)).map((key): ConfigEntry => {
      const given = values[key];
      const path = [...containers, key] as unknown as ConfigEntry['path'];
      const resolved = resolver?.resolveDeep(given, `"${path.join('.')}" of ${option}`, parse);
      const copied = typeof given === 'string' ? origins.get(given) : undefined;
      const origin = resolved?.found ? originOfReference(resolved.found) : (copied ?? NO_SECRET);
      return { path, value: resolved ? resolved.value : given, origin };
    }),
  );
}

/** Finds a variable as the application sees it: references resolved. @internal */
export function variableFinder(environment: Environment, resolved: ReadonlyMap<string, ConfigEntry>) {
  return (name: string): { readonly value: unknown } | undefined => {
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    return value === undefined ? undefined : (resolved.get(name) ?? { value });
  };
}

/** With the variables and factories' values that a schema has left out because it says nothing about them. @internal */
export function withUnmentioned(
  validated: ConfigEntries,
  before: ConfigEntries,
  candidates: readonly ConfigEntry[],
): ConfigEntries {
  if (candidates.length === 0) return validated;
  const missing = candidates.filter((entry) => {
    const id = entryId(entry.path);
    return !validated.has(id) && before.get(id)?.value === entry.value;
  });
  return new Map([...validated, ...missing.map((entry) => [entryId(entry.path), entry] as const)]);
}

/** Where texts come from that are long enough to be of one secret only: "app" may be in the code as well. */
function originsOfTexts(variables: ConfigEntries, environment: Environment): ReadonlyMap<string, Origin | undefined> {
  const origins = new Map<string, Origin | undefined>();
  const others = new Set(Object.values(environment));
  for (const { value, origin } of variables.values()) {
    if (typeof value !== 'string' || value.length < MIN_TELLING_LENGTH || origin.secretPath === '' || others.has(value))
      continue;
    const { variable: _, ...place } = origin;
    const isTold = !origins.has(value) || isSamePlace(origins.get(value), place);
    origins.set(value, isTold ? place : undefined);
  }
  return origins;
}

function isSamePlace(one: Origin | undefined, other: Origin): boolean {
  return one !== undefined && secretId(one) === secretId(other) && one.version === other.version;
}

function originOfReference(found: FoundSecret | undefined): Origin {
  return found ? originOf(found.address, found.read) : NO_SECRET;
}
