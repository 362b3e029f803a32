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

/** What factories have made, references in it resolved. @internal */
export function factoryEntries(
  loaded: readonly FactoryValues[],
  resolver: ReferenceResolver | undefined,
  known: KnownReferences,
): ConfigEntry[] {
  const parse = (text: string) => known.parse(text);
  return loaded.flatMap(({ option, path: containers, values }) =>
    inOrderOfDots(Object.keys(values)).map((key): ConfigEntry => {
      const given = values[key];
      const path = [...containers, key] as unknown as ConfigEntry['path'];
      const resolved = resolver?.resolveDeep(given, `"${path.join('.')}" of ${option}`, parse);
      return { path, value: resolved ? resolved.value : given, origin: originOfReference(resolved?.found) };
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

function originOfReference(found: FoundSecret | undefined): Origin {
  return found ? originOf(found.address, found.read) : NO_SECRET;
}
