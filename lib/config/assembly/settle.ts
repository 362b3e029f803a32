import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { entryId } from '../configuration.js';
import { isPlainObject } from '../plain.js';

/** A place in the configuration: a value, or a container of other places. */
interface Place {
  id?: string | undefined;
  readonly inner: Map<string, Place>;
}

/** Every place that holds other places, found in one pass: looking for them key by key takes quadratic time. @internal */
export function containersOf(entries: ConfigEntries): ReadonlySet<string> {
  const containers = new Set<string>();
  for (const { path } of entries.values()) {
    for (let length = path.length - 1; length > 0; length--) {
      const id = entryId(path.slice(0, length));
      if (containers.has(id)) break;
      containers.add(id);
    }
  }
  return containers;
}

/**
 * Entries of which none stands inside another. Where a container comes after a value of the same name, it hides it; an
 * object is taken apart instead, so that the two are merged. A value that comes after a container hides all in it.
 *
 * @param entries in ascending precedence
 * @internal
 */
export function settle(entries: ConfigEntries): ConfigEntries {
  const containers = containersOf(entries);
  if (![...containers].some((id) => entries.has(id))) return entries;
  const settled = new Map<string, ConfigEntry>();
  const root: Place = { inner: new Map() };
  const remove = (place: Place): void => {
    if (place.id !== undefined) settled.delete(place.id);
    place.id = undefined;
  };
  const add = (entry: ConfigEntry): void => {
    let place = root;
    for (const name of entry.path) {
      const whole = place.id === undefined ? undefined : settled.get(place.id);
      if (whole) {
        remove(place);
        for (const part of partsOf(whole)) enter(place, part);
      }
      place = innerOf(place, name);
    }
    clear(place, remove);
    place.id = entryId(entry.path);
    settled.set(place.id, entry);
  };
  const enter = (place: Place, part: ConfigEntry): void => {
    const inner = innerOf(place, part.path[part.path.length - 1] as string);
    inner.id = entryId(part.path);
    settled.set(inner.id, part);
  };
  for (const entry of entries.values()) add(entry);
  return settled;
}

function innerOf(place: Place, name: string): Place {
  const known = place.inner.get(name);
  if (known) return known;
  const made: Place = { inner: new Map() };
  place.inner.set(name, made);
  return made;
}

function clear(place: Place, remove: (place: Place) => void): void {
  const queue = [place];
  for (let next = queue.pop(); next; next = queue.pop()) {
    remove(next);
    for (const inner of next.inner.values()) queue.push(inner);
    next.inner.clear();
  }
}

/** The values of an object as entries of their own; none of anything else. */
function partsOf({ path, value, origin, aliases }: ConfigEntry): ConfigEntry[] {
  if (!isPlainObject(value)) return [];
  return Object.entries(value).map(([key, inner]) => {
    const place = [...path, key] as unknown as ConfigEntry['path'];
    return { path: place, value: inner, origin, ...(aliases && { aliases }) };
  });
}
