import { isJsonObject } from '../../client/response.js';
import { within } from '../../client/within.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigLayer } from '../plan.js';
import type { Path } from '../config-tree.js';
import { ConfigTree, containerAt } from '../config-tree.js';
import type { VaultError } from '../../errors/index.js';
import { duration } from '../duration.js';
import { describeIssues } from './describe-issue.js';
import { copyPlain, isPlainObject } from '../plain.js';
import type { StandardSchema } from '../standard-schema.js';
import { NO_SECRET } from '../origins.js';

/** A schema that never settles must not stop all later refreshes. */
const VALIDATION_TIMEOUT_MS = 30_000;

/**
 * Validates the values of a layer with its schema; the output of the schema, defaults included, replaces them.
 * @internal
 */
export async function validateLayer(
  layer: ConfigLayer,
  tree: ConfigTree,
): Promise<{ readonly tree: ConfigTree; readonly failures: readonly VaultError[] }> {
  const { schema, path, option } = layer;
  if (!schema) return { tree, failures: [] };
  const input = containerAt(tree.toObject(), path);
  const fail = (message: string) => ({ tree, failures: [new VaultInvalidOptionError(message)] });
  try {
    const result = await within(VALIDATION_TIMEOUT_MS, listingAll(schema)['~standard'].validate(input), false);
    if (!result)
      return fail(
        `The schema of ${option} has not returned within ${duration(VALIDATION_TIMEOUT_MS)}. Look at what it waits for.`,
      );
    // A handwritten schema may return anything, such as getters that throw an error with a value: all of it is read inside this try.
    if (result.issues)
      return fail(
        `The values of ${option} do not fit its schema: ${describeIssues(result.issues, path, containerAt(tree.toObject(), path))}.`,
      );
    if (!isJsonObject(result.value))
      return fail(`The schema of ${option} makes something else than an object of its values.`);
    if (layer.namespace && hasMethods(result.value))
      return fail(
        `The schema of ${option} makes an instance of a class. Its methods and getters would be lost: the object of a configuration namespace is the same for as long as the application runs, and only its values change. Let the schema make a plain object; an instance may be the value of a key.`,
      );
    return { tree: replaceValues(result.value, path, tree), failures: [] };
  } catch {
    // The message of the schema's error may quote a value.
    return fail(`The schema of ${option} failed instead of giving a result. Look at its refinements and transforms.`);
  }
}

/** By default Joi stops at the first problem. */
function listingAll(schema: StandardSchema): StandardSchema {
  const { prefs } = schema as { readonly prefs?: unknown };
  if (schema['~standard'].vendor !== 'joi' || typeof prefs !== 'function') return schema;
  return (prefs as (options: object) => StandardSchema).call(schema, { abortEarly: false });
}

/** Whether an object has methods or getters besides its properties. */
function hasMethods(value: object): boolean {
  for (let of: unknown = value; !isPlainObject(of); of = Object.getPrototypeOf(of)) {
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(of));
    if (names.some((name) => name !== 'constructor')) return true;
  }
  return false;
}

/** The output of a schema with the origins of its input; a default has the origin of the layer's first value. */
function replaceValues(output: object, path: Path, input: ConfigTree): ConfigTree {
  const replaced = new ConfigTree();
  const [first] = input.leaves();
  const origin = { ...(first?.origin ?? NO_SECRET), fromSchema: true as const, overrides: [] };
  const queue: { readonly path: Path; readonly values: object }[] = [{ path, values: output }];
  for (let next = queue.shift(); next; next = queue.shift()) {
    for (const [key, value] of Object.entries(next.values)) {
      const place = [...next.path, key];
      if (input.hasContainer(place) && isJsonObject(value)) queue.push({ path: place, values: value });
      // Copied here, where errors of getters are caught.
      else replaced.set({ origin, ...input.leaf(place), path: place, value: copyPlain(value) });
    }
  }
  return replaced;
}
