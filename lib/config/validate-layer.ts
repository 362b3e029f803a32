import { isJsonObject } from '../client/response.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import type { AssembledLayer } from './assemble.js';
import type { ConfigLayer } from './config-layer.js';
import type { ConfigEntries, ConfigEntry } from './configuration.js';
import { containerAt, entryId, valuesOf } from './configuration.js';
import { describeIssue } from './describe-issue.js';

/**
 * Runs the values of a layer through its schema; what the schema makes of them, defaults included, replaces them.
 * @internal
 */
export async function validateLayer(layer: ConfigLayer, entries: ConfigEntries): Promise<AssembledLayer> {
  const { schema, path, option } = layer;
  if (!schema) return { entries, failures: [] };
  const input = containerAt(valuesOf(entries), path);
  let result;
  try {
    result = await schema['~standard'].validate(input);
  } catch {
    // Its message is somebody else's and may quote a value.
    const message = `The schema of ${option} failed instead of giving a result. Look at its refinements and transforms.`;
    return { entries, failures: [new VaultInvalidOptionError(message)] };
  }
  if (result.issues) {
    const issues = result.issues.map((issue) => describeIssue(issue, path, input));
    return {
      entries,
      failures: [new VaultInvalidOptionError(`The values of ${option} do not fit its schema: ${issues.join('; ')}.`)],
    };
  }
  if (!isJsonObject(result.value)) {
    const message = `The schema of ${option} makes something else than an object of its values.`;
    return { entries, failures: [new VaultInvalidOptionError(message)] };
  }
  return { entries: replaceValues(result.value, path, entries), failures: [] };
}

/** The values of the output under the origins of the input; a default has the origin of the layer's first value. */
function replaceValues(output: object, path: readonly string[], entries: ConfigEntries): ConfigEntries {
  const replaced = new Map<string, ConfigEntry>();
  const [first] = entries.values();
  for (const [key, value] of Object.entries(output)) {
    const place = [...path, key] as unknown as ConfigEntry['path'];
    const id = entryId(place);
    const nested = [...entries.keys()].some((other) => other.startsWith(`${id}\0`));
    if (nested && isJsonObject(value)) {
      for (const [innerId, inner] of replaceValues(value, place, entries)) replaced.set(innerId, inner);
      continue;
    }
    const origin = entries.get(id)?.origin ?? { ...(first?.origin ?? NO_ORIGIN), hides: [] };
    replaced.set(id, { path: place, value, origin: { ...origin, key: place.join('.') } });
  }
  return replaced;
}

const NO_ORIGIN = { key: '', mountPath: '', secretPath: '', version: 0, createdTime: '', loadedAt: new Date(0) };
