import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigLayer } from '../config-layer.js';
import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { entryId } from '../configuration.js';
import { placeOfOrigin } from '../origins/describe-origin.js';
import { plainAt } from '../plain.js';
import { quoted } from '../../errors/printable.js';
import { containersOf } from './settle.js';

type Assembled = { readonly layer: ConfigLayer; readonly entries: ConfigEntries };

/** Namespaces in whose place, or around it, stands a value of somebody else. @internal */
export function hiddenNamespaces(
  layers: readonly ConfigLayer[],
  settled: ConfigEntries,
): { readonly layer: ConfigLayer; readonly error: VaultError }[] {
  return layers.flatMap((layer) => {
    for (let length = layer.namespace ? layer.path.length : 0; length > 0; length--) {
      const hider = settled.get(entryId(layer.path.slice(0, length)));
      if (!hider) continue;
      const message = `${layer.option} has no place: ${placeOfOrigin(hider.origin)} has a value called ${quoted(hider.path.join('.'))} there. Rename that with "map", or list the configuration namespace after it.`;
      return [{ layer, error: new VaultInvalidOptionError(message) }];
    }
    return [];
  });
}

/**
 * Namespaces that have a schema and a value that has not been through it, because it came to its place from another source.
 * What a factory makes beside the values of a namespace is the application's own and stays.
 *
 * @param made what factories have made
 * @internal
 */
export function bypassedNamespaces(
  assembled: readonly Assembled[],
  settled: ConfigEntries,
  made: readonly ConfigEntry[],
): { readonly layer: ConfigLayer; readonly error: VaultError }[] {
  const namespaces = assembled.filter(({ layer }) => layer.namespace);
  const isOwn = ({ entries }: Assembled, id: string, { value }: ConfigEntry) => {
    const own = entries.get(id);
    return own !== undefined && Object.is(own.value, value);
  };
  return namespaces.flatMap(({ layer }) => {
    if (!layer.schema) return [];
    for (const [id, entry] of settled) {
      const isInside = layer.path.every((name, index) => entry.path[index] === name);
      if (!isInside || namespaces.some((other) => isOwn(other, id, entry))) continue;
      if (made.some((other) => isPartOf(entry, other))) continue;
      const message = `${layer.option} would have a value that its schema has not seen: ${placeOfOrigin(entry.origin)} has ${quoted(entry.path.join('.'))}. Rename that key with "map", leave it out with "keys", or add its secret to the "sources" of the configuration namespace.`;
      return [{ layer, error: new VaultInvalidOptionError(message) }];
    }
    return [];
  });
}

function isPartOf({ path, value }: ConfigEntry, whole: ConfigEntry): boolean {
  return (
    whole.path.every((name, index) => path[index] === name) &&
    Object.is(plainAt({ whole: whole.value }, ['whole', ...path.slice(whole.path.length)]), value)
  );
}

/**
 * The values of namespaces of which the schema of the whole has left nothing: it says nothing about them, and whoever
 * injects one counts on what its own schema has made.
 * @internal
 */
export function unmentionedNamespaces(
  layers: readonly ConfigLayer[],
  settled: ConfigEntries,
  validated: ConfigEntries,
): ConfigEntry[] {
  if (validated === settled) return [];
  const containers = containersOf(validated);
  const paths = layers.flatMap(({ namespace, path }) => (namespace ? [path] : []));
  const unmentioned = paths.filter((path) =>
    path.every((_, index) => {
      const id = entryId(path.slice(0, index + 1));
      return !validated.has(id) && (index + 1 < path.length || !containers.has(id));
    }),
  );
  if (unmentioned.length === 0) return [];
  return [...settled.values()].filter((entry) =>
    unmentioned.some((path) => path.every((name, index) => entry.path[index] === name)),
  );
}
