import { isJsonObject } from '../../client/response.js';
import { within } from '../../client/within.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { AssembledLayer } from './assemble.js';
import type { ConfigLayer } from '../config-layer.js';
import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { containerAt, entryId, valuesOf } from '../configuration.js';
import { duration } from '../duration.js';
import { describeIssues } from './describe-issue.js';
import { containersOf } from './settle.js';
import { copyPlain, isPlainObject } from '../plain.js';
import type { StandardSchema } from '../standard-schema.js';
import { NO_SECRET } from '../origins/value-origin.js';

/** A refresh that waits for a schema for ever would be the last one. */
const LONGEST_VALIDATION_MS = 30_000;

/**
 * Runs the values of a layer through its schema; what the schema makes of them, defaults included, replaces them.
 * @internal
 */
export async function validateLayer(
  layer: ConfigLayer,
  entries: ConfigEntries,
): Promise<Omit<AssembledLayer, 'files'>> {
  const { schema, path, option } = layer;
  if (!schema) return { entries, failures: [] };
  const input = containerAt(valuesOf(entries), path);
  const refuse = (message: string) => ({ entries, failures: [new VaultInvalidOptionError(message)] });
  try {
    const result = await within(LONGEST_VALIDATION_MS, listingAll(schema)['~standard'].validate(input), false);
    if (!result)
      return refuse(
        `The schema of ${option} has not returned within ${duration(LONGEST_VALIDATION_MS)}. Look at what it waits for.`,
      );
    // A schema made by hand may give anything, with getters that throw and quote a value: all of it is read in here.
    if (result.issues)
      return refuse(
        `The values of ${option} do not fit its schema: ${describeIssues(result.issues, path, containerAt(valuesOf(entries), path))}.`,
      );
    if (!isJsonObject(result.value))
      return refuse(`The schema of ${option} makes something else than an object of its values.`);
    if (layer.namespace && hasMethods(result.value))
      return refuse(
        `The schema of ${option} makes an instance of a class. Its methods and getters would be lost: the object of a configuration namespace is the same for as long as the application runs, and only its values change. Let the schema make a plain object; an instance may be the value of a key.`,
      );
    return { entries: replaceValues(result.value, path, entries), failures: [] };
  } catch {
    // Its message is somebody else's and may quote a value.
    return refuse(`The schema of ${option} failed instead of giving a result. Look at its refinements and transforms.`);
  }
}

/** By default Joi stops at the first problem. */
function listingAll(schema: StandardSchema): StandardSchema {
  const { prefs } = schema as { readonly prefs?: unknown };
  if (schema['~standard'].vendor !== 'joi' || typeof prefs !== 'function') return schema;
  return (prefs as (options: object) => StandardSchema).call(schema, { abortEarly: false });
}

/** Whether the type of an object promises more than its properties. */
function hasMethods(value: object): boolean {
  for (let of: unknown = value; !isPlainObject(of); of = Object.getPrototypeOf(of)) {
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(of));
    if (names.some((name) => name !== 'constructor')) return true;
  }
  return false;
}

/** The values of the output under the origins of the input; a default has that of the layer's first value. */
function replaceValues(output: object, path: readonly string[], entries: ConfigEntries): ConfigEntries {
  const replaced = new Map<string, ConfigEntry>();
  const containers = containersOf(entries);
  const [first] = entries.values();
  const queue: { readonly path: readonly string[]; readonly values: object }[] = [{ path, values: output }];
  for (let next = queue.shift(); next; next = queue.shift()) {
    for (const [key, value] of Object.entries(next.values)) {
      const place = [...next.path, key] as unknown as ConfigEntry['path'];
      const id = entryId(place);
      if (containers.has(id) && isJsonObject(value)) {
        queue.push({ path: place, values: value });
        continue;
      }
      const entry = entries.get(id);
      const origin = entry?.origin ?? { ...(first?.origin ?? NO_SECRET), fromSchema: true, hides: [] };
      // Copied here, where what a getter throws is caught.
      replaced.set(id, { ...entry, path: place, value: copyPlain(value), origin });
    }
  }
  return replaced;
}
