import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { entryId, originInside } from '../configuration.js';
import type { Origin } from '../origins/value-origin.js';
import { hiding } from '../origins/value-origin.js';
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
  const remove = (place: Place): ConfigEntry | undefined => {
    const entry = place.id === undefined ? undefined : settled.get(place.id);
    if (place.id !== undefined) settled.delete(place.id);
    place.id = undefined;
    return entry;
  };
  const add = (entry: ConfigEntry): void => {
    let place = root;
    for (const name of entry.path) {
      const whole = remove(place);
      if (whole) for (const part of partsOf(whole)) enter(place, part);
      place = innerOf(place, name);
    }
    const origin = [...clear(place, remove)].reduce(hiding, entry.origin);
    place.id = entryId(entry.path);
    settled.set(place.id, origin === entry.origin ? entry : { ...entry, origin });
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

/** @returns the origins of what was there */
function clear(place: Place, remove: (place: Place) => ConfigEntry | undefined): ReadonlySet<Origin> {
  const origins = new Set<Origin>();
  const queue = [place];
  for (let next = queue.pop(); next; next = queue.pop()) {
    const removed = remove(next);
    if (removed) origins.add(removed.origin);
    for (const inner of next.inner.values()) queue.push(inner);
    next.inner.clear();
  }
  return origins;
}

/** The values of an object as entries of their own; none of anything else. @internal */
export function partsOf(whole: ConfigEntry): ConfigEntry[] {
  const { path, value, aliases, variables = [] } = whole;
  if (!isPlainObject(value)) return [];
  return Object.entries(value).map(([key, inner]) => ({
    path: [...path, key] as unknown as ConfigEntry['path'],
    value: inner,
    origin: originInside(whole, [key]),
    ...(aliases && { aliases }),
    variables: variables.flatMap(({ variable, inside: [first, ...inside] }) =>
      first === key && inside.length > 0 ? [{ variable, inside }] : [],
    ),
  }));
}
