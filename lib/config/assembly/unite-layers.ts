import { withAliases } from './aliases.js';
import type { AssembledLayer } from './assemble.js';
import type { ConfigLayer, ConfigPlan } from '../config-layer.js';
import type { ConfigEntries, ConfigEntry, LoadedConfiguration } from '../configuration.js';
import { summary } from '../sources/load-failures.js';
import { entriesOf, merge } from './merge-entries.js';
import { hiddenNamespaces, unmentionedNamespaces } from './namespace-places.js';
import { withoutVariables } from './precedence.js';
import { settle } from './settle.js';
import { withUnmentioned } from './unsourced-entries.js';
import type { VaultError } from '../../errors/index.js';
import { validateLayer } from './validate-layer.js';

/** A namespace that only `forFeature` names and that has no place. @internal */
export interface HiddenFeature {
  readonly feature: string;
  readonly error: VaultError;
}

/**
 * One configuration of all that has been put together: by rank, validated as a whole, with the paths of files and aliases.
 * Namespaces that only `forFeature` names are not shown to the schema of the whole: whoever wrote that need not know them,
 * and some may be of another application in this process.
 *
 * @param assembled in ascending precedence
 * @param made what factories made
 * @param referring variables that are references, which rank with the environment
 * @throws VaultConfigurationError when a namespace has no place, or the whole does not fit its schema
 * @internal
 */
export async function uniteLayers(
  { precedence, layers, schema, aliases }: ConfigPlan,
  assembled: readonly (AssembledLayer & { readonly layer: ConfigLayer })[],
  made: readonly ConfigEntry[],
  referring: ConfigEntries,
): Promise<Pick<LoadedConfiguration, 'complete' | 'entries'> & { readonly hidden: readonly HiddenFeature[] }> {
  const known = layers.filter(({ feature }) => feature === undefined);
  const own = assembled.filter(({ layer }) => layer.feature === undefined);
  const features = assembled.filter(({ layer }) => layer.feature !== undefined);
  const layered = [entriesOf(made), ...own.map(({ entries }) => entries)];
  const settled = settle(merge(precedence === 'env' ? [...layered, referring] : [referring, ...layered]));
  refuse(hiddenNamespaces(known, settled).map(({ error }) => error));
  const validated = await validateLayer({ option: '"config"', path: [], sources: [], schema }, settled);
  refuse(validated.failures);
  const left = unmentionedNamespaces(known, settled, validated.entries);
  const kept = withUnmentioned(validated.entries, settled, [...referring.values(), ...made, ...left]);
  const whole = features.length > 0 ? settle(merge([kept, ...features.map(({ entries }) => entries)])) : kept;
  const hidden: HiddenFeature[] = [];
  const failures: VaultError[] = [];
  for (const { layer, error } of hiddenNamespaces(layers, whole)) {
    if (layer.feature === undefined) failures.push(error);
    else hidden.push({ feature: layer.feature, error });
  }
  refuse(failures);
  const files = entriesOf(assembled.flatMap((layer) => layer.files.map(({ entry }) => entry)));
  const complete = withAliases(merge([whole, files]), aliases);
  return { complete, entries: precedence === 'env' ? withoutVariables(complete) : complete, hidden };
}

function refuse(failures: readonly VaultError[]): void {
  if (failures.length > 0) throw summary(failures);
}
