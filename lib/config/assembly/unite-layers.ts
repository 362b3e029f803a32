import { withAliases } from './aliases.js';
import type { AssembledLayer } from './assemble.js';
import type { ConfigLayer, ConfigPlan } from '../config-layer.js';
import type { ConfigEntries, ConfigEntry, LoadedConfiguration } from '../configuration.js';
import { summary } from '../sources/load-failures.js';
import { entriesOf, merge } from './merge-entries.js';
import { ambiguousNames, impossibleNames, nestedPath, nestNames } from './dotted-names.js';
import { bypassedNamespaces, hiddenNamespaces, unmentionedNamespaces } from './namespace-places.js';
import { withoutVariables } from './precedence.js';
import { settle } from './settle.js';
import { withUnmentioned } from './unsourced-entries.js';
import type { VaultError } from '../../errors/index.js';
import { validateLayer } from './validate-layer.js';

/** A namespace that only `forFeature` names and that has no place, or values past its schema. @internal */
export interface HiddenFeature {
  readonly feature: string;
  readonly error: VaultError;
}

/**
 * One configuration of all that has been put together: by rank, validated as a whole, with the paths of files.
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
  { precedence, layers, schema }: ConfigPlan,
  assembled: readonly (AssembledLayer & { readonly layer: ConfigLayer })[],
  made: readonly ConfigEntry[],
  referring: ConfigEntries,
): Promise<{ readonly entries: ConfigEntries; readonly hidden: readonly HiddenFeature[] }> {
  const known = layers.filter(({ feature }) => feature === undefined);
  const own = assembled.filter(({ layer }) => layer.feature === undefined);
  const features = assembled.filter(({ layer }) => layer.feature !== undefined);
  const files = entriesOf(assembled.flatMap((layer) => layer.files.map(({ entry }) => entry)));
  const given = [entriesOf(made), ...assembled.map(({ entries }) => entries), referring, files];
  const ambiguous = ambiguousNames(given);
  refuse(impossibleNames(given, ambiguous));
  const nest = (entries: ConfigEntries): ConfigEntries => nestNames(entries, ambiguous);
  const uniteAll = (entries: readonly ConfigEntries[]): ConfigEntries => settle(merge(entries.map(nest)));

  const layered = [entriesOf(made), ...own.map(({ entries }) => entries)];
  const settled = uniteAll(precedence === 'env' ? [...layered, referring] : [referring, ...layered]);
  refuse(hiddenNamespaces(known, settled).map(({ error }) => error));
  refuse(bypassedNamespaces(own, settled, made).map(({ error }) => error));
  const validated = await validateLayer({ option: '"config"', path: [], sources: [], schema }, settled);
  refuse(validated.failures);
  const left = unmentionedNamespaces(known, settled, validated.entries);
  const unsourced = [...referring.values(), ...made].map((entry) => ({ ...entry, path: nestedPath(entry, ambiguous) }));
  const kept = withUnmentioned(validated.entries, settled, [...unsourced, ...left]);
  const whole = features.length > 0 ? uniteAll([kept, ...features.map(({ entries }) => entries)]) : kept;
  const hidden: HiddenFeature[] = [];
  const failures: VaultError[] = [];
  const inFeatures = features.length > 0 ? bypassedNamespaces(features, whole, made) : [];
  for (const { layer, error } of [...hiddenNamespaces(layers, whole), ...inFeatures]) {
    if (layer.feature === undefined) failures.push(error);
    else hidden.push({ feature: layer.feature, error });
  }
  refuse(failures);
  return { entries: files.size > 0 ? uniteAll([whole, files]) : whole, hidden };
}

/**
 * What `ConfigService` gets of such a configuration, and the whole of it, with aliases.
 *
 * @throws VaultConfigurationError when two values would have the same alias
 * @internal
 */
export function withOtherNames(
  { precedence, aliases }: ConfigPlan,
  entries: ConfigEntries,
): Pick<LoadedConfiguration, 'complete' | 'entries'> {
  const { entries: complete, failures } = withAliases(entries, aliases);
  refuse(failures);
  return { complete, entries: precedence === 'env' ? withoutVariables(complete) : complete };
}

function refuse(failures: readonly VaultError[]): void {
  if (failures.length > 0) throw summary(failures);
}
