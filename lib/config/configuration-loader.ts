import type { VaultClient } from '../client/vault-client.js';
import type { VaultConfigurationError, VaultError } from '../errors/index.js';
import { VaultNotFoundError } from '../errors/index.js';
import { assembleLayer } from './assembly/assemble.js';
import type { ConfigLayer, ConfigPlan } from './config-layer.js';
import type { ConfigEntries, LoadedConfiguration } from './configuration.js';
import { valuesOf } from './configuration.js';
import { withoutSharedFiles } from './files/shared-files.js';
import type { OtherAdvice } from './sources/explain-failure.js';
import { explainFailure } from './sources/explain-failure.js';
import { nothingFound, summary } from './sources/load-failures.js';
import { preferEnvironment, preferVariable } from './assembly/precedence.js';
import type { SecretReads } from './sources/read-secrets.js';
import { addressId, readSecrets } from './sources/read-secrets.js';
import { followReferences } from './references/follow-references.js';
import { KnownReferences } from './references/known-references.js';
import { addressesOf, referencesIn, referencesInVariables } from './references/plan-references.js';
import { isLiteral } from './references/reference.options.js';
import { describeReferences } from './references/reference-failures.js';
import { ReferenceResolver } from './references/reference-resolver.js';
import type { ReferenceText } from './references/reference-syntax.js';
import { uniteLayers } from './assembly/unite-layers.js';
import { factoryEntries, variableEntries, variableFinder } from './assembly/unsourced-entries.js';
import { validateLayer } from './assembly/validate-layer.js';
import type { ResolvedSource } from './sources/vault-source.js';

type CallLimits = { readonly signal?: AbortSignal; readonly timeoutMs?: number };
type FindVariable = ReturnType<typeof variableFinder>;

const OF_A_REFERENCE: OtherAdvice = {
  forgive: 'give the reference a default behind "?"',
  mount: 'correct the reference, or name a mount that has slashes in "config.references.mountPath"',
  version: 'correct the number behind the second "#", or leave it out',
};

const NONE: ConfigEntries = new Map();

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

  /** Only reads; failures are part of the result. */
  async read(limits: CallLimits = {}): Promise<SecretReads> {
    const { references, layers, factories } = this.plan;
    const texts = references ? [...this.#variables.values(), ...referencesIn(await factories.run())] : [];
    return this.#read(layers, texts, limits);
  }

  /** The same for one layer, which need not be in the plan yet. */
  readLayer(layer: ConfigLayer): Promise<SecretReads> {
    return this.#read([layer], [], {});
  }

  /** Puts together what was read. @throws VaultConfigurationError listing everything that failed */
  async assemble(reads: SecretReads, limits: CallLimits = {}): Promise<LoadedConfiguration> {
    const { references, environment, precedence, layers, factories } = this.plan;
    const resolver = references && new ReferenceResolver(reads, references);
    const variables = resolver ? variableEntries(this.#variables, resolver) : NONE;
    const find = variableFinder(environment, variables);
    const loaded = await factories.run();
    if (resolver) this.known.add(referencesIn(loaded));
    const made = factoryEntries(loaded, resolver, this.known);
    const unsourced = precedence === 'env' ? made.map((entry) => preferVariable(entry, find)) : made;

    const failures: VaultError[] = [];
    const failedFeatures = new Map<string, VaultConfigurationError>();
    const assembled = await Promise.all(
      layers.map(async (layer) => ({ layer, ...(await this.#assembleLayer(layer, reads, limits, resolver, find)) })),
    );
    const whole = assembled.filter((layer) => layer.failures.length === 0);
    const { files, failures: shared } = withoutSharedFiles(whole);
    for (const one of assembled) {
      const { layer } = one;
      const failed = [...one.failures, ...(shared.get(one) ? [shared.get(one) as VaultError] : [])];
      if (layer.feature !== undefined && failed.length > 0) failedFeatures.set(layer.feature, summary(failed));
      else failures.push(...failed);
    }
    if (resolver) {
      const explain = (error: VaultError, address: Parameters<typeof explainFailure>[1]) =>
        explainFailure(error, address, this.#client, limits, OF_A_REFERENCE);
      failures.push(...(await describeReferences(resolver.failures, explain)));
    }
    if (failures.length > 0) throw summary(failures);

    const { hidden, ...united } = await uniteLayers(this.plan, whole, unsourced, variables);
    for (const { feature, error } of hidden) {
      if (!failedFeatures.has(feature)) failedFeatures.set(feature, summary([error]));
    }
    this.plan.exported?.check(valuesOf(united.entries));
    return {
      ...united,
      reads,
      files,
      failedFeatures,
    };
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

  async #assembleLayer(
    layer: ConfigLayer,
    reads: SecretReads,
    limits: CallLimits,
    resolver: ReferenceResolver | undefined,
    find: FindVariable,
  ) {
    const unread = await Promise.all(layer.sources.map((source) => this.#failureOf(source, reads, limits)));
    const failed = unread.filter((error) => error !== undefined);
    const { references } = this.plan;
    const resolve = (value: unknown, name: string, paths: readonly (readonly string[])[]) =>
      references && paths.some((path) => isLiteral(references, path))
        ? value
        : resolver?.resolveDeep(value, name).value;
    const { folder } = this.plan.files;
    const assembled = references?.inSecrets
      ? assembleLayer(layer, reads, folder, resolve)
      : assembleLayer(layer, reads, folder);
    const failures = [...failed, ...assembled.failures];
    if (
      failures.length === 0 &&
      layer.atLeastOne &&
      !layer.sources.some((source) => reads.get(addressId(source))?.secret)
    )
      failures.push(nothingFound(layer));
    const entries = this.plan.precedence === 'env' ? preferEnvironment(assembled.entries, find) : assembled.entries;
    const { files } = assembled;
    if (failures.length > 0 || !layer.schema) return { entries, files, failures };
    return { ...(await validateLayer(layer, entries)), files };
  }

  async #failureOf(source: ResolvedSource, reads: SecretReads, limits: CallLimits): Promise<VaultError | undefined> {
    const error = reads.get(addressId(source))?.error;
    // Only "nothing there" is forgiven: neither a deleted version nor a denial is the same as never having existed.
    if (!error || (source.optional && error instanceof VaultNotFoundError)) return undefined;
    return explainFailure(error, source, this.#client, limits);
  }
}
