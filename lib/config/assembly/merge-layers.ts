import { quoted } from '../../errors/format.js';
import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigLeaf, Path } from '../config-tree.js';
import { ConfigTree, isWithin, withAliases } from '../config-tree.js';
import type { ConfigLayer, ConfigPlan } from '../plan.js';
import type { Configuration } from '../configuration.js';
import { placeOfOrigin } from '../origins.js';
import { plainAt } from '../plain.js';
import { summary } from '../sources/source-errors.js';
import type { AssembledLayer } from './assemble.js';
import { ambiguousNames, impossibleNames, nested } from './dotted-names.js';
import { withoutVariables } from './environment-precedence.js';
import { validateLayer } from './validate.js';

/** A namespace that only `forFeature` names, and why it cannot be used. @internal */
export interface FailedFeature {
  readonly feature: string;
  readonly error: VaultError;
}

type Failed = { readonly layer: ConfigLayer; readonly error: VaultError };

/**
 * Merges layers by precedence, validates the result, and adds the paths of files. Namespaces that only `forFeature` names
 * are added after the validation: the schema need not know them, and some may belong to another application in this process.
 *
 * @param layers in ascending precedence
 * @param fromFactories values of `config.load`
 * @param referenceVariables variables that hold references, which rank with the environment
 * @throws VaultConfigurationError when the place of a namespace is taken, or the result does not fit the schema
 * @internal
 */
export async function mergeLayers(
  { precedence, layers: planned, schema }: ConfigPlan,
  layers: readonly AssembledLayer[],
  fromFactories: readonly ConfigLeaf[],
  referenceVariables: ConfigTree,
): Promise<{ readonly tree: ConfigTree; readonly failedFeatures: readonly FailedFeature[] }> {
  const known = planned.filter(({ feature }) => feature === undefined);
  const own = layers.filter(({ layer }) => layer.feature === undefined);
  const features = layers.filter(({ layer }) => layer.feature !== undefined);
  const files = layers.flatMap((layer) => layer.files.map(({ leaf }) => leaf));
  const variables = [...referenceVariables.leaves()];
  const given = [fromFactories, ...layers.map(({ leaves }) => leaves), variables, files];
  const ambiguous = ambiguousNames(given);
  throwAny(impossibleNames(given, ambiguous));
  const nest = (leaf: ConfigLeaf) => nested(leaf, ambiguous);
  const merge = (lists: readonly (readonly ConfigLeaf[])[]) =>
    ConfigTree.of(ambiguous.size === 0 ? lists.flat() : lists.flat().map(nest));

  const ranked = [fromFactories, ...own.map(({ leaves }) => leaves)];
  const merged = merge(precedence === 'env' ? [...ranked, variables] : [variables, ...ranked]);
  throwAny(overriddenNamespaces(known, merged).map(({ error }) => error));
  throwAny(unvalidatedNamespaces(own, merged, fromFactories).map(({ error }) => error));
  const validated = await validateLayer({ option: '"config"', path: [], sources: [], schema }, merged);
  throwAny(validated.failures);
  const notInSchema = [
    ...[...variables, ...fromFactories].map(nest),
    ...omittedNamespaces(known, merged, validated.tree),
  ];
  const kept = withOmitted(validated.tree, merged, notInSchema);
  const whole = features.length > 0 ? merge([[...kept.leaves()], ...features.map(({ leaves }) => leaves)]) : kept;
  const failedFeatures: FailedFeature[] = [];
  const failures: VaultError[] = [];
  const unvalidated = features.length > 0 ? unvalidatedNamespaces(features, whole, fromFactories) : [];
  for (const { layer, error } of [...overriddenNamespaces(planned, whole), ...unvalidated]) {
    if (layer.feature === undefined) failures.push(error);
    else failedFeatures.push({ feature: layer.feature, error });
  }
  throwAny(failures);
  return { tree: files.length > 0 ? merge([[...whole.leaves()], files]) : whole, failedFeatures };
}

/**
 * Adds aliases, and leaves out what `ConfigService` finds itself.
 *
 * @throws VaultConfigurationError when two values would have the same alias
 * @internal
 */
export function withOtherNames(
  { precedence, aliases }: ConfigPlan,
  tree: ConfigTree,
): Pick<Configuration, 'tree' | 'written'> {
  const { tree: complete, failures } = withAliases(tree, aliases);
  throwAny(failures);
  return { tree: complete, written: precedence === 'env' ? withoutVariables(complete) : complete };
}

function throwAny(failures: readonly VaultError[]): void {
  if (failures.length > 0) throw summary(failures);
}

/** Namespaces whose place, or a container of it, another value has taken. */
function overriddenNamespaces(layers: readonly ConfigLayer[], tree: ConfigTree): Failed[] {
  return layers.flatMap((layer) => {
    const other = layer.namespace ? tree.leafOn(layer.path) : undefined;
    if (!other) return [];
    const message = `${layer.option} has no place: ${placeOfOrigin(other.origin)} has a value called ${quoted(other.path.join('.'))} there. Rename that with "map", or list the configuration namespace after it.`;
    return [{ layer, error: new VaultInvalidOptionError(message) }];
  });
}

/**
 * Namespaces with a schema and with a value from another source that their schema has not validated. Values that a factory
 * adds to a namespace are the application's own, and stay.
 */
function unvalidatedNamespaces(
  layers: readonly AssembledLayer[],
  merged: ConfigTree,
  fromFactories: readonly ConfigLeaf[],
): Failed[] {
  const namespaces = layers.filter(({ layer }) => layer.namespace);
  if (!namespaces.some(({ layer }) => layer.schema)) return [];
  const trees = namespaces.map(({ leaves }) => ConfigTree.of(leaves));
  const isValidated = ({ path, value }: ConfigLeaf) =>
    trees.some((tree) => {
      const own = tree.leaf(path);
      return own !== undefined && Object.is(own.value, value);
    });
  return namespaces.flatMap(({ layer }) => {
    if (!layer.schema) return [];
    const other = merged
      .leavesBelow(layer.path)
      .find((leaf) => !isValidated(leaf) && !fromFactories.some((whole) => isPartOf(leaf, whole)));
    if (!other) return [];
    const message = `${layer.option} would have a value that its schema has not seen: ${placeOfOrigin(other.origin)} has ${quoted(other.path.join('.'))}. Rename that key with "map", leave it out with "keys", or add its secret to the "sources" of the configuration namespace.`;
    return [{ layer, error: new VaultInvalidOptionError(message) }];
  });
}

function isPartOf({ path, value }: ConfigLeaf, whole: ConfigLeaf): boolean {
  return (
    isWithin(path, whole.path) &&
    Object.is(plainAt({ whole: whole.value }, ['whole', ...path.slice(whole.path.length)]), value)
  );
}

/**
 * The values of namespaces that the schema has left out completely: it does not describe them, and their consumers rely on
 * what the namespace's own schema returned.
 */
function omittedNamespaces(layers: readonly ConfigLayer[], before: ConfigTree, validated: ConfigTree): ConfigLeaf[] {
  if (validated === before) return [];
  const isOmitted = (path: Path) => !validated.has(path) && !validated.leafOn(path);
  const omitted = layers.filter(({ namespace, path }) => namespace && isOmitted(path));
  if (omitted.length === 0) return [];
  return [...before.leaves()].filter((leaf) => omitted.some(({ path }) => isWithin(leaf.path, path)));
}

/** Adds the values among these that a schema left out because it does not describe them. */
function withOmitted(validated: ConfigTree, before: ConfigTree, candidates: readonly ConfigLeaf[]): ConfigTree {
  const omitted = candidates.filter(
    ({ path, value }) => !validated.has(path) && !validated.leafOn(path) && before.leaf(path)?.value === value,
  );
  return omitted.length === 0 ? validated : ConfigTree.of([...validated.leaves(), ...omitted]);
}
