import { withAliases } from './aliases.js';
import type { AssembledLayer } from './assemble.js';
import type { ConfigPlan } from './config-layer.js';
import type { ConfigEntries, ConfigEntry } from './configuration.js';
import { summary } from './load-failures.js';
import { entriesOf, merge } from './merge-entries.js';
import { hiddenNamespaces, unmentionedNamespaces } from './namespace-places.js';
import { withoutVariables } from './precedence.js';
import { settle } from './settle.js';
import { withUnmentioned } from './unsourced-entries.js';
import type { VaultError } from '../errors/index.js';
import { validateLayer } from './validate-layer.js';

/** A namespace that only `forFeature` names and that has no place. @internal */
export interface HiddenFeature {
  readonly feature: string;
  readonly error: VaultError;
}

/**
 * One configuration of all that has been put together: by rank, validated as a whole, with the paths of files and aliases.
 *
 * @param assembled in ascending precedence
 * @param made what factories made
 * @param referring variables that are references, which rank with the environment
 * @throws VaultConfigurationError when a namespace has no place, or the whole does not fit its schema
 * @internal
 */
export async function uniteLayers(
  { precedence, layers, schema, aliases }: ConfigPlan,
  assembled: readonly AssembledLayer[],
  made: readonly ConfigEntry[],
  referring: ConfigEntries,
): Promise<{ readonly entries: ConfigEntries; readonly hidden: readonly HiddenFeature[] }> {
  const layered = [entriesOf(made), ...assembled.map(({ entries }) => entries)];
  const settled = settle(merge(precedence === 'env' ? [...layered, referring] : [referring, ...layered]));
  const failures: VaultError[] = [];
  const hidden: HiddenFeature[] = [];
  for (const { layer, error } of hiddenNamespaces(layers, settled)) {
    if (layer.feature === undefined) failures.push(error);
    else hidden.push({ feature: layer.feature, error });
  }
  if (failures.length > 0) throw summary(failures);
  const validated = await validateLayer({ option: '"config"', path: [], sources: [], schema }, settled);
  if (validated.failures.length > 0) throw summary(validated.failures);
  const left = unmentionedNamespaces(layers, settled, validated.entries);
  const kept = withUnmentioned(validated.entries, settled, [...referring.values(), ...made, ...left]);
  const files = entriesOf(assembled.flatMap((layer) => layer.files.map(({ entry }) => entry)));
  const complete = withAliases(merge([kept, files]), aliases);
  return { entries: precedence === 'env' ? withoutVariables(complete) : complete, hidden };
}
