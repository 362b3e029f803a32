import type { VaultClient } from '../client/vault-client.js';
import type { VaultConfigurationError, VaultError } from '../errors/index.js';
import { VaultDisabledError } from '../errors/index.js';
import type { AssembledLayer, SourceView } from './assembly/assemble.js';
import { assembleLayer } from './assembly/assemble.js';
import type { ConfigLayer, ConfigPlan } from './plan.js';
import type { ConfigLeaf, Path } from './config-tree.js';
import { ConfigTree } from './config-tree.js';
import type { Configuration, RetainedReads } from './configuration.js';
import { withoutSharedFiles } from './files/layer-files.js';
import type { RefreshableValues } from './refresh/kept-values.js';
import { keepOthers, pendingOf } from './refresh/kept-values.js';
import type { OtherAdvice } from './sources/source-errors.js';
import { explainFailure, loadFailure, nothingFound, summary } from './sources/source-errors.js';
import type { FindVariable } from './assembly/environment-precedence.js';
import {
  preferEnvironment,
  preferVariable,
  resolveVariables,
  variableFinder,
} from './assembly/environment-precedence.js';
import type { FailedRead, SecretAddress } from './sources/read-secrets.js';
import { isAbsent, readSecrets, SecretReads } from './sources/read-secrets.js';
import {
  addressesOf,
  describeReferences,
  followReferences,
  ReferenceResolver,
  referencesIn,
  referencesInVariables,
} from './references/resolve-references.js';
import { KnownReferences } from './references/leftover-references.js';
import { isLiteral } from './references/reference.options.js';
import type { ReferenceText } from './references/reference.js';
import { mergeLayers, withOtherNames } from './assembly/merge-layers.js';
import { validateLayer } from './assembly/validate.js';
import type { FactoryValues } from './sources/factories.js';
import { factoryLeaves, FactoryRunner } from './sources/factories.js';
import type { ResolvedSource } from './sources/vault-source.js';
import { checkExports, exportedVariables, exportsKeys } from './variables/exported-variables.js';
import type { VariableTexts } from './variables/variables.js';
import { unusableVariable, variableTexts } from './variables/variables.js';

type CallLimits = { readonly signal?: AbortSignal; readonly timeoutMs?: number };

/** The configuration to be replaced. */
interface Previous {
  /** Values that are not refreshed are taken from it. */
  readonly before?: Configuration | undefined;
  /** A layer that it does not have yet, whose values are all new. */
  readonly added?: ConfigLayer;
}

const OF_A_REFERENCE: OtherAdvice = {
  forgive: 'give the reference a default after "?"',
  mount: 'correct the reference, or name a mount that has slashes in "config.references.mountPath"',
  version: 'correct the number after the second "#", or leave it out',
};

/** For a secret that a source needs as well. */
const OF_BOTH: OtherAdvice = {
  forgive: 'mark the source "optional: true" and give the reference a default after "?"',
  mount: 'check "mountPath" of the source and the mount in the reference',
  version: 'correct the version in the source and in the reference, or leave it out',
};

/** Some reads, and the references of the environment resolved with them. */
interface Resolved {
  readonly reads: SecretReads;
  readonly resolver: ReferenceResolver | undefined;
  readonly variables: ConfigTree;
  /** Whether some of them could not be resolved. */
  readonly hasFailed: boolean;
  readonly find: FindVariable;
  readonly texts: VariableTexts;
}

/** The reads that each source gets its values from. */
interface Views {
  readonly now: Resolved;
  readonly all: readonly Resolved[];
  of(source: ResolvedSource): Resolved;
  readonly retainedReads: RetainedReads;
}

/**
 * Reads the secrets of a plan and assembles the configuration: at boot, and at every refresh.
 * @internal
 */
export class ConfigurationLoader {
  readonly #client: VaultClient;
  readonly #variables: ReadonlyMap<string, ReferenceText>;
  /** References whose remains in other texts stop the boot. */
  readonly known = new KnownReferences();
  readonly factories: FactoryRunner;
  #plan: ConfigPlan;

  /** @param factories of the boot, which all of its loaders share */
  constructor(client: VaultClient, plan: ConfigPlan, factories = new FactoryRunner(plan.factories)) {
    this.#client = client;
    this.#plan = plan;
    this.factories = factories;
    this.#variables = referencesInVariables(plan, this.known);
  }

  get plan(): ConfigPlan {
    return this.#plan;
  }

  /** A loader for one more application, to which layers may be added. */
  forApplication(): ConfigurationLoader {
    return new ConfigurationLoader(this.#client, this.#plan, this.factories);
  }

  /** A loader with this layer after all others. */
  including(layer: ConfigLayer): ConfigurationLoader {
    const plan = { ...this.#plan, layers: [...this.#plan.layers, layer] };
    return new ConfigurationLoader(this.#client, plan, this.factories);
  }

  /** Later loads include this layer. */
  add(layer: ConfigLayer): void {
    this.#plan = { ...this.#plan, layers: [...this.#plan.layers, layer] };
  }

  /**
   * Reads all sources at once, one request for each distinct secret.
   *
   * @throws VaultConfigurationError listing everything that failed
   */
  async load(limits: CallLimits = {}): Promise<Configuration> {
    return this.assemble(await this.read(limits), limits);
  }

  /** Reads without assembling; failures are part of the result. References of factories are read once these have run. */
  async read(limits: CallLimits & Previous = {}): Promise<SecretReads> {
    const { references, layers } = this.plan;
    const reads = await this.#read(layers, [...this.#variables.values()], limits);
    if (!references || this.factories.isEmpty) return reads;
    const texts = referencesIn((await this.#factoryValues(reads, limits)).map(({ values }) => values));
    const others = addressesOf(texts, references).filter((address) => !reads.has(address));
    if (others.length === 0) return reads;
    const all = new SecretReads([...reads, ...(await readSecrets(this.#client, others, limits))]);
    return references.inSecrets ? followReferences(this.#client, all, references, limits) : all;
  }

  /** The same for one layer, which need not be in the plan yet. */
  readLayer(layer: ConfigLayer): Promise<SecretReads> {
    return this.#read([layer], [], {});
  }

  /** Assembles the configuration from reads. @throws VaultConfigurationError listing everything that failed */
  async assemble(reads: SecretReads, limits: CallLimits & Previous = {}): Promise<Configuration> {
    const { environment, precedence, layers, exports } = this.plan;
    const resolved = this.#resolve(reads);
    const { resolver, variables, find } = resolved;
    const views = this.#viewsOf(resolved, limits);

    const found: VaultError[] = [];
    /** Failed reads that sources need, each explained once. */
    const explained = new Map<FailedRead, Promise<VaultError>>();
    const failedFeatures = new Map<string, VaultConfigurationError>();
    const assembled = await Promise.all(
      layers.map(async (layer) => {
        const errors = layer.sources.map((source) =>
          this.#failureOf(source, views.of(source).reads, explained, limits),
        );
        const failed = (await Promise.all(errors)).filter((error) => error !== undefined);
        return this.#assembleLayer(layer, views, failed);
      }),
    );
    const factoryEnvironment = await this.#environment(resolved, assembled);
    const results = factoryEnvironment ? await this.factories.run(factoryEnvironment, limits.signal) : [];
    if (resolver) this.known.add(referencesIn(results.map(({ values }) => values)));
    const leaves = factoryLeaves(results, resolver, this.known, variables, environment);
    const fromFactories = precedence === 'env' ? leaves.map((leaf) => preferVariable(leaf, find)) : leaves;

    const complete = assembled.filter(({ failures }) => failures.length === 0);
    const { files, failures: shared } = withoutSharedFiles(complete);
    for (const one of assembled) {
      const { feature } = one.layer;
      const failed = [...one.failures, ...(shared.get(one) ? [shared.get(one) as VaultError] : [])];
      if (feature !== undefined && failed.length > 0) failedFeatures.set(feature, summary(failed));
      else found.push(...failed);
    }
    const failures = await this.#withReferenceFailures([...new Set(found)], views, explained, limits);
    if (!this.factories.isEmpty && !resolved.hasFailed) failures.push(...resolved.texts.problems.map(unusableVariable));
    if (failures.length > 0) {
      const factoryValues = this.factories.results ?? [];
      throw loadFailure(failures, { plan: this.plan, factoryValues, failedFeatures });
    }

    const merged = await mergeLayers(this.plan, complete, fromFactories, variables);
    for (const { feature, error } of merged.failedFeatures) {
      if (!failedFeatures.has(feature)) failedFeatures.set(feature, summary([error]));
    }
    const kept = this.#keepOthers({ tree: merged.tree, referenceVariables: variables, files }, limits);
    const named = withOtherNames(this.plan, kept.tree);
    const used = layers.filter(({ feature }) => feature === undefined || !failedFeatures.has(feature));
    const texts = kept.referenceVariables === variables ? resolved.texts : variableTexts(kept.referenceVariables);
    if (exports) checkExports(exports, named.written.toObject(), texts);
    return {
      ...named,
      referenceVariables: kept.referenceVariables,
      variableTexts: texts,
      reads,
      retainedReads: views.retainedReads,
      pending: new Map([...kept.pending, ...pendingOf(used, named.tree, views.retainedReads, reads)]),
      files: kept.files,
      failedFeatures,
    };
  }

  /** Adds the failures of references. A secret that a source needs as well is named once, with advice for both. */
  async #withReferenceFailures(
    found: readonly VaultError[],
    views: Views,
    explained: ReadonlyMap<FailedRead, Promise<VaultError>>,
    limits: CallLimits,
  ): Promise<VaultError[]> {
    let failures = [...found];
    for (const { failures: unresolved } of views.all.flatMap((view) => view.resolver ?? [])) {
      const shared = new Set<VaultError>();
      const explain = async (read: FailedRead, address: SecretAddress) => {
        const known = await explained.get(read);
        const isShared = known !== undefined && failures.includes(known);
        if (isShared) shared.add(known);
        const advice = isShared ? OF_BOTH : OF_A_REFERENCE;
        return { error: await explainFailure(read, address, this.#client, limits, advice), isShared };
      };
      const described = await describeReferences(unresolved, explain);
      failures = [...failures.filter((error) => !shared.has(error)), ...described];
    }
    return failures;
  }

  #keepOthers(now: RefreshableValues, { before, added }: Previous): ReturnType<typeof keepOthers> {
    const { refresh, aliases } = this.plan;
    if (!refresh?.keys) return { ...now, pending: new Map<string, unknown>() };
    const keys = added ? [...refresh.keys, added.path.join('.')] : refresh.keys;
    const previous = before && { ...before, tree: before.tree.filter(({ isAlias }) => !isAlias) };
    return keepOthers(keys, now, previous, aliases);
  }

  /** For a source that is not refreshed, the reads that its present values come from. */
  #viewsOf(now: Resolved, { before, added }: Previous): Views {
    const resolved = new Map([[now.reads, now]]);
    const retainedReads = new Map<ResolvedSource, SecretReads>();
    for (const { namespace, sources } of this.plan.layers) {
      // A namespace that could not be read at boot has no present values.
      const isNew = added !== undefined && namespace?.name === added.namespace?.name;
      for (const source of sources) {
        if (source.refresh !== false) continue;
        const reads = (isNew ? undefined : before?.retainedReads.get(source)) ?? now.reads;
        retainedReads.set(source, reads);
        if (!resolved.has(reads)) resolved.set(reads, this.#resolve(reads));
      }
    }
    return {
      now,
      retainedReads,
      all: [...resolved.values()],
      of: (source) => resolved.get(retainedReads.get(source) ?? now.reads) ?? now,
    };
  }

  #resolve(reads: SecretReads): Resolved {
    const { references, environment } = this.plan;
    const resolver = references && new ReferenceResolver(reads, references);
    const variables = resolver ? resolveVariables(this.#variables, resolver) : new ConfigTree();
    const hasFailed = resolver !== undefined && resolver.failures.length > 0;
    const find = variableFinder(environment, variables);
    // A variable that could not be resolved has no value.
    const texts = variableTexts(hasFailed ? new ConfigTree() : variables);
    return { reads, resolver, variables, hasFailed, find, texts };
  }

  /**
   * The values of factories in the environment that these reads give. Where that cannot be known, or they throw, the values
   * of their last run: a refresh reports the problem when it assembles the configuration.
   */
  async #factoryValues(reads: SecretReads, limits: CallLimits & Previous): Promise<readonly FactoryValues[]> {
    const { layers, exports } = this.plan;
    const last = this.factories.results;
    try {
      const resolved = this.#resolve(reads);
      const views = this.#viewsOf(resolved, limits);
      const assembled = exportsKeys(exports)
        ? await Promise.all(layers.map((layer) => this.#assembleLayer(layer, views, unreadIn(layer, views))))
        : [];
      const environment = await this.#environment(resolved, assembled);
      return environment ? await this.factories.run(environment, limits.signal) : (last ?? []);
    } catch (error) {
      if (last) return last;
      throw error;
    }
  }

  /**
   * The variables of `process.env` while factories run: those that hold references, resolved, and exported values.
   * `undefined` when some of them have no value.
   */
  async #environment(
    { variables, hasFailed, texts }: Resolved,
    assembled: readonly AssembledLayer[],
  ): Promise<ReadonlyMap<string, string> | undefined> {
    const { exports } = this.plan;
    if (hasFailed || texts.problems.length > 0) return undefined;
    if (this.factories.isEmpty || !exports || !exportsKeys(exports)) return texts.texts;
    if (assembled.some(({ layer, failures }) => layer.feature === undefined && failures.length > 0)) return undefined;
    const complete = assembled.filter(({ failures }) => failures.length === 0);
    // The schema of the whole needs the values of factories.
    const { tree } = await mergeLayers({ ...this.plan, schema: undefined }, complete, [], variables);
    const { written } = withOtherNames(this.plan, tree);
    return new Map([...texts.texts, ...exportedVariables(exports, written.toObject(), texts)]);
  }

  async #read(
    layers: readonly ConfigLayer[],
    texts: readonly ReferenceText[],
    limits: CallLimits,
  ): Promise<SecretReads> {
    const { references } = this.plan;
    const sources = layers.flatMap((layer) => layer.sources);
    if (!references) return readSecrets(this.#client, sources, limits);
    const reads = await readSecrets(this.#client, [...sources, ...addressesOf(texts, references)], limits);
    return references.inSecrets ? followReferences(this.#client, reads, references, limits) : reads;
  }

  /** @param unread failures of its sources */
  async #assembleLayer(layer: ConfigLayer, views: Views, unread: readonly VaultError[]): Promise<AssembledLayer> {
    const { references, precedence, disabled, filesFolder } = this.plan;
    const resolveWith =
      ({ resolver }: Resolved) =>
      (value: unknown, name: string, paths: readonly Path[]) =>
        references && paths.some((path) => isLiteral(references, path))
          ? value
          : resolver?.resolveDeep(value, name).value;
    const view = (source: ResolvedSource): SourceView => {
      const seen = views.of(source);
      return { reads: seen.reads, resolve: references?.inSecrets ? resolveWith(seen) : undefined };
    };
    const { find } = views.now;
    const transform = precedence === 'env' ? (leaf: ConfigLeaf) => preferEnvironment(leaf, find) : undefined;
    const assembled = assembleLayer(layer, view, filesFolder, transform);
    const failures = [...unread, ...assembled.failures];
    const isFound = (source: ResolvedSource) => views.of(source).reads.get(source)?.secret !== undefined;
    if (failures.length === 0 && layer.atLeastOne && !layer.sources.some(isFound)) failures.push(nothingFound(layer));
    if (disabled && !layer.schema) failures.push(disabled(`read ${layer.option}, which has no "schema"`));
    if (failures.length > 0 || !layer.schema) return { ...assembled, failures };
    const validated = await validateLayer(layer, ConfigTree.of(assembled.leaves));
    return { ...assembled, leaves: [...validated.tree.leaves()], failures: validated.failures };
  }

  async #failureOf(
    source: ResolvedSource,
    reads: SecretReads,
    explained: Map<FailedRead, Promise<VaultError>>,
    limits: CallLimits,
  ): Promise<VaultError | undefined> {
    const read = unread(source, reads);
    if (!read) return undefined;
    const error = explained.get(read) ?? explainFailure(read, source, this.#client, limits);
    explained.set(read, error);
    return error;
  }
}

function unreadIn({ sources }: ConfigLayer, views: Views): VaultError[] {
  return sources.flatMap((source) => unread(source, views.of(source).reads)?.error ?? []);
}

/** The failed read of a source, unless its secret is absent and may be. */
function unread(source: ResolvedSource, reads: SecretReads): FailedRead | undefined {
  const read = reads.get(source);
  // A namespace of a disabled module has the defaults of its schema.
  if (!read || read.secret || read.error instanceof VaultDisabledError) return undefined;
  return source.optional && isAbsent(read) ? undefined : read;
}
