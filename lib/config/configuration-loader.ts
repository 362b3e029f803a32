import type { VaultClient } from '../client/vault-client.js';
import type { VaultConfigurationError, VaultError } from '../errors/index.js';
import { VaultDisabledError } from '../errors/index.js';
import type { AssembledLayer, SourceView } from './assembly/assemble.js';
import { assembleLayer } from './assembly/assemble.js';
import type { ConfigLayer, ConfigPlan } from './config-layer.js';
import type { ConfigEntries, HeldReads, LoadedConfiguration } from './configuration.js';
import { valuesOf } from './configuration.js';
import { withoutSharedFiles } from './files/shared-files.js';
import { keepOthers, pendingOf, withoutAliases } from './refresh/kept-values.js';
import type { OtherAdvice } from './sources/explain-failure.js';
import { explainFailure } from './sources/explain-failure.js';
import { loadFailure, nothingFound, summary } from './sources/load-failures.js';
import { preferEnvironment, preferVariable } from './assembly/precedence.js';
import type { FailedRead, SecretAddress, SecretReads } from './sources/read-secrets.js';
import { addressId, isAbsent, readSecrets } from './sources/read-secrets.js';
import { followReferences } from './references/follow-references.js';
import { KnownReferences } from './references/known-references.js';
import { addressesOf, referencesIn, referencesInVariables } from './references/plan-references.js';
import { isLiteral } from './references/reference.options.js';
import { describeReferences } from './references/reference-failures.js';
import { ReferenceResolver } from './references/reference-resolver.js';
import type { ReferenceText } from './references/reference-syntax.js';
import { uniteLayers, withOtherNames } from './assembly/unite-layers.js';
import { factoryEntries, variableEntries, variableFinder } from './assembly/unsourced-entries.js';
import { validateLayer } from './assembly/validate-layer.js';
import type { FactoryValues } from './sources/config-factories.js';
import type { ResolvedSource } from './sources/vault-source.js';
import type { ReferringVariables } from './variables/referring-variables.js';
import { referringVariables, unusable } from './variables/referring-variables.js';

type CallLimits = { readonly signal?: AbortSignal; readonly timeoutMs?: number };

/** What an application has already. */
interface Present {
  /** The configuration that it has: values that are not refreshed are taken from it. */
  readonly before?: LoadedConfiguration;
  /** A layer it does not have yet, whose values are all taken. */
  readonly added?: ConfigLayer;
}
type FindVariable = ReturnType<typeof variableFinder>;

const OF_A_REFERENCE: OtherAdvice = {
  forgive: 'give the reference a default behind "?"',
  mount: 'correct the reference, or name a mount that has slashes in "config.references.mountPath"',
  version: 'correct the number behind the second "#", or leave it out',
};

/** For a secret that a source needs as well. */
const OF_BOTH: OtherAdvice = {
  forgive: 'mark the source "optional: true" and give the reference a default behind "?"',
  mount: 'check "mountPath" of the source and the mount in the reference',
  version: 'correct the version in the source and in the reference, or leave it out',
};

const NONE: ConfigEntries = new Map();
const NO_VARIABLES: ReferringVariables = { texts: new Map(), problems: [] };

/** What references of the environment come to, with some reads. */
interface Resolved {
  readonly reads: SecretReads;
  readonly resolver: ReferenceResolver | undefined;
  readonly variables: ConfigEntries;
  /** Whether some of them have no value. */
  readonly hasFailed: boolean;
  readonly find: FindVariable;
  readonly referring: ReferringVariables;
}

/** What each source is put together from. */
interface Views {
  readonly now: Resolved;
  readonly all: readonly Resolved[];
  of(source: ResolvedSource): Resolved;
  /** For sources that are not refreshed. */
  readonly held: HeldReads;
}

/**
 * Reads a plan from Vault and puts it together: once at boot, and again at every refresh.
 * @internal
 */
export class ConfigurationLoader {
  readonly #client: VaultClient;
  readonly #variables: ReadonlyMap<string, ReferenceText>;
  /** References whose remains in other texts stop the boot. */
  readonly known = new KnownReferences();
  #plan: ConfigPlan;

  constructor(client: VaultClient, plan: ConfigPlan) {
    this.#client = client;
    this.#plan = plan;
    this.#variables = referencesInVariables(plan, this.known);
  }

  get plan(): ConfigPlan {
    return this.#plan;
  }

  /** A loader for this layer after all others. */
  including(layer: ConfigLayer): ConfigurationLoader {
    return new ConfigurationLoader(this.#client, { ...this.#plan, layers: [...this.#plan.layers, layer] });
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
  async load(limits: CallLimits = {}): Promise<LoadedConfiguration> {
    return this.assemble(await this.read(limits), limits);
  }

  /** Only reads; failures are part of the result. What factories refer to is known, and read, once they have run. */
  async read(limits: CallLimits & Present = {}): Promise<SecretReads> {
    const { references, layers, factories } = this.plan;
    const reads = await this.#read(layers, [...this.#variables.values()], limits);
    if (!references || factories.isEmpty) return reads;
    const texts = referencesIn((await this.#made(reads, limits)).map(({ values }) => values));
    const others = addressesOf(texts, references).filter((address) => !reads.has(addressId(address)));
    if (others.length === 0) return reads;
    const all = new Map([...reads, ...(await readSecrets(this.#client, others, limits))]);
    return references.inSecrets ? followReferences(this.#client, all, references, limits) : all;
  }

  /** The same for one layer, which need not be in the plan yet. */
  readLayer(layer: ConfigLayer): Promise<SecretReads> {
    return this.#read([layer], [], {});
  }

  /** Puts together what was read. @throws VaultConfigurationError listing everything that failed */
  async assemble(reads: SecretReads, limits: CallLimits & Present = {}): Promise<LoadedConfiguration> {
    const { environment, precedence, layers, factories } = this.plan;
    const resolved = this.#resolve(reads);
    const { resolver, variables, find, referring } = resolved;
    const views = this.#viewsOf(resolved, limits);

    const found: VaultError[] = [];
    /** What sources need and could not be read, each explained once. */
    const unreadSecrets = new Map<FailedRead, Promise<VaultError>>();
    const failedFeatures = new Map<string, VaultConfigurationError>();
    const assembled = await Promise.all(
      layers.map(async (layer) => {
        const errors = layer.sources.map((source) =>
          this.#failureOf(source, views.of(source).reads, unreadSecrets, limits),
        );
        const failed = (await Promise.all(errors)).filter((error) => error !== undefined);
        return this.#assembleLayer(layer, views, failed);
      }),
    );
    const texts = await this.#environment(resolved, assembled);
    const loaded = texts ? await factories.run(texts, limits.signal) : [];
    if (resolver) this.known.add(referencesIn(loaded.map(({ values }) => values)));
    const made = factoryEntries(loaded, resolver, this.known, variables, environment);
    const unsourced = precedence === 'env' ? made.map((entry) => preferVariable(entry, find)) : made;

    const whole = assembled.filter((layer) => layer.failures.length === 0);
    const { files, failures: shared } = withoutSharedFiles(whole);
    for (const one of assembled) {
      const { layer } = one;
      const failed = [...one.failures, ...(shared.get(one) ? [shared.get(one) as VaultError] : [])];
      if (layer.feature !== undefined && failed.length > 0) failedFeatures.set(layer.feature, summary(failed));
      else found.push(...failed);
    }
    let failures = [...new Set(found)];
    for (const { failures: unresolved } of views.all.flatMap((view) => view.resolver ?? [])) {
      const shared = new Set<VaultError>();
      const explain = async (read: FailedRead, address: SecretAddress) => {
        const known = await unreadSecrets.get(read);
        const isShared = known !== undefined && failures.includes(known);
        if (isShared) shared.add(known);
        const advice = isShared ? OF_BOTH : OF_A_REFERENCE;
        return { error: await explainFailure(read, address, this.#client, limits, advice), isShared };
      };
      const described = await describeReferences(unresolved, explain);
      failures = [...failures.filter((error) => !shared.has(error)), ...described];
    }
    if (!factories.isEmpty && !resolved.hasFailed) failures.push(...referring.problems.map(unusable));
    if (failures.length > 0) throw loadFailure(failures, { plan: this.plan, failedFeatures });

    const { hidden, entries: united } = await uniteLayers(this.plan, whole, unsourced, variables);
    for (const { feature, error } of hidden) {
      if (!failedFeatures.has(feature)) failedFeatures.set(feature, summary([error]));
    }
    const kept = this.#keepOthers({ entries: united, variables, files }, limits);
    const named = withOtherNames(this.plan, kept.entries);
    const used = layers.filter(({ feature }) => feature === undefined || !failedFeatures.has(feature));
    const exportable = kept.variables === variables ? referring : referringVariables(kept.variables);
    this.plan.exported?.check(valuesOf(named.entries), exportable);
    return {
      ...named,
      referring: exportable,
      variables: kept.variables,
      reads,
      held: views.held,
      pending: new Map([...kept.pending, ...pendingOf(used, named.complete, views.held, reads)]),
      files: kept.files,
      failedFeatures,
    };
  }

  #keepOthers(now: Parameters<typeof keepOthers>[1], { before, added }: Present) {
    const { refresh, aliases } = this.plan;
    if (!refresh?.keys) return { ...now, pending: new Map<string, unknown>() };
    const keys = added ? [...refresh.keys, added.path.join('.')] : refresh.keys;
    return keepOthers(keys, now, before && { ...before, entries: withoutAliases(before.complete) }, aliases);
  }

  /** What each source is put together from: a source that is not refreshed, from what it was put together from before. */
  #viewsOf(now: Resolved, { before, added }: Present): Views {
    const resolved = new Map([[now.reads, now]]);
    const held = new Map<ResolvedSource, SecretReads>();
    for (const { namespace, sources } of this.plan.layers) {
      // A namespace that could not be read at boot has no values to hold.
      const isNew = added !== undefined && namespace?.name === added.namespace?.name;
      for (const source of sources) {
        if (source.refresh !== false) continue;
        const reads = (isNew ? undefined : before?.held.get(source)) ?? now.reads;
        held.set(source, reads);
        if (!resolved.has(reads)) resolved.set(reads, this.#resolve(reads));
      }
    }
    return {
      now,
      held,
      all: [...resolved.values()],
      of: (source) => resolved.get(held.get(source) ?? now.reads) ?? now,
    };
  }

  #resolve(reads: SecretReads): Resolved {
    const { references, environment } = this.plan;
    const resolver = references && new ReferenceResolver(reads, references);
    const variables = resolver ? variableEntries(this.#variables, resolver) : NONE;
    const hasFailed = resolver !== undefined && resolver.failures.length > 0;
    const find = variableFinder(environment, variables);
    // What could not be resolved has no value.
    const referring = hasFailed ? NO_VARIABLES : referringVariables(variables);
    return { reads, resolver, variables, hasFailed, find, referring };
  }

  /**
   * What factories make in the environment that these reads give. Where that cannot be known, or they throw, it is what they
   * made last: a refresh reports the problem when it puts the configuration together.
   */
  async #made(reads: SecretReads, limits: CallLimits & Present): Promise<readonly FactoryValues[]> {
    const { factories, layers, exported } = this.plan;
    const last = factories.made;
    try {
      const resolved = this.#resolve(reads);
      const views = this.#viewsOf(resolved, limits);
      const assembled = exported?.hasKeys
        ? await Promise.all(layers.map((layer) => this.#assembleLayer(layer, views, unreadIn(layer, views))))
        : [];
      const environment = await this.#environment(resolved, assembled);
      return environment ? await factories.run(environment, limits.signal) : (last ?? []);
    } catch (error) {
      if (last) return last;
      throw error;
    }
  }

  /**
   * What `process.env` has while factories run: variables that hold references, resolved, and what is exported. `undefined`
   * when some of it has no value.
   */
  async #environment(
    { variables, hasFailed, referring }: Resolved,
    assembled: readonly (AssembledLayer & { readonly layer: ConfigLayer })[],
  ): Promise<ReadonlyMap<string, string> | undefined> {
    const { exported, factories } = this.plan;
    if (hasFailed || referring.problems.length > 0) return undefined;
    if (factories.isEmpty || !exported?.hasKeys) return referring.texts;
    if (assembled.some(({ layer, failures }) => layer.feature === undefined && failures.length > 0)) return undefined;
    const whole = assembled.filter(({ failures }) => failures.length === 0);
    // The schema of the whole needs what factories make.
    const united = await uniteLayers({ ...this.plan, schema: undefined }, whole, [], variables);
    const { entries } = withOtherNames(this.plan, united.entries);
    return new Map([...referring.texts, ...exported.of(valuesOf(entries), referring)]);
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
  async #assembleLayer(
    layer: ConfigLayer,
    views: Views,
    unread: readonly VaultError[],
  ): Promise<AssembledLayer & { readonly layer: ConfigLayer }> {
    const { references } = this.plan;
    const resolveWith =
      ({ resolver }: Resolved) =>
      (value: unknown, name: string, paths: readonly (readonly string[])[]) =>
        references && paths.some((path) => isLiteral(references, path))
          ? value
          : resolver?.resolveDeep(value, name).value;
    const view = (source: ResolvedSource): SourceView => {
      const seen = views.of(source);
      return { reads: seen.reads, resolve: references?.inSecrets ? resolveWith(seen) : undefined };
    };
    const assembled = assembleLayer(layer, view, this.plan.files.folder);
    const failures = [...unread, ...assembled.failures];
    if (
      failures.length === 0 &&
      layer.atLeastOne &&
      !layer.sources.some((source) => views.of(source).reads.get(addressId(source))?.secret)
    )
      failures.push(nothingFound(layer));
    if (this.plan.disabled && !layer.schema)
      failures.push(this.plan.disabled(`read ${layer.option}, which has no "schema"`));
    const entries =
      this.plan.precedence === 'env' ? preferEnvironment(assembled.entries, views.now.find) : assembled.entries;
    const { files } = assembled;
    if (failures.length > 0 || !layer.schema) return { layer, entries, files, failures };
    return { layer, ...(await validateLayer(layer, entries)), files };
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
  const read = reads.get(addressId(source));
  // A namespace of a disabled module has the defaults of its schema.
  if (!read || read.secret || read.error instanceof VaultDisabledError) return undefined;
  return source.optional && isAbsent(read) ? undefined : read;
}
