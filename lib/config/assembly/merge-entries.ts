import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { entryId } from '../configuration.js';
import { hiding } from '../origins/value-origin.js';

/** Adds an entry; one that is there already is hidden by it. @internal */
export function put(entries: Map<string, ConfigEntry>, entry: ConfigEntry, id: string = entryId(entry.path)): void {
  const hidden = entries.get(id);
  // Taken out first, so that the order of entries is the order of precedence.
  if (hidden) entries.delete(id);
  entries.set(id, hidden ? { ...entry, origin: hiding(entry.origin, hidden.origin) } : entry);
}

/** Entries of which the last one stays, where several have the same place. @internal */
export function entriesOf(list: readonly ConfigEntry[]): ConfigEntries {
  const entries = new Map<string, ConfigEntry>();
  for (const entry of list) put(entries, entry);
  return entries;
}

/** One over the other: of entries in the same place the last one stays, and hides the others. @internal */
export function merge(layers: readonly ConfigEntries[]): ConfigEntries {
  const [lowest, ...others] = layers.filter(({ size }) => size > 0);
  if (others.length === 0) return lowest ?? new Map<string, ConfigEntry>();
  const merged = new Map(lowest);
  // Not for-of, which makes an object or two at every step: there may be ten thousand.
  for (const layer of others) layer.forEach((entry, id) => put(merged, entry, id));
  return merged;
}
