import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigLayer } from '../config-layer.js';
import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { entryId } from '../configuration.js';
import { containersOf } from './settle.js';

/** Namespaces in whose place, or around it, stands a value of somebody else. @internal */
export function hiddenNamespaces(
  layers: readonly ConfigLayer[],
  settled: ConfigEntries,
): { readonly layer: ConfigLayer; readonly error: VaultError }[] {
  return layers.flatMap((layer) => {
    for (let length = layer.namespace ? layer.path.length : 0; length > 0; length--) {
      const hider = settled.get(entryId(layer.path.slice(0, length)));
      if (!hider) continue;
      const { mountPath, secretPath, variable } = hider.origin;
      const whose =
        secretPath === '' ? (variable ?? '"config.load"') : `secret "${secretPath}" in mount "${mountPath}"`;
      const message = `${layer.option} has no place: ${whose} has a value called "${hider.path.join('.')}" there. Rename that with "map", or list the namespace after it.`;
      return [{ layer, error: new VaultInvalidOptionError(message) }];
    }
    return [];
  });
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
