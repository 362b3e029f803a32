import type { VaultClient } from '../client/vault-client.js';
import type { VaultError } from '../errors/index.js';
import { VaultConfigurationError, VaultNotFoundError } from '../errors/index.js';
import { withAliases } from './aliases.js';
import type { AssembledFile } from './assemble.js';
import { assembleLayer, entriesOf, merge, put } from './assemble.js';
import type { FactoryValues } from './config-factories.js';
import type { ConfigLayer, ConfigPlan } from './config-layer.js';
import type { ConfigEntries, LoadedConfiguration } from './configuration.js';
import { explainFailure } from './explain-failure.js';
import { hiddenNamespaces, unmentionedNamespaces } from './namespace-places.js';
import { preferEnvironment, preferVariable, withoutVariables } from './precedence.js';
import type { SecretReads } from './read-secrets.js';
import { addressId, readSecrets } from './read-secrets.js';
import { addressesOf, referencesIn, referencesInVariables } from './references/plan-references.js';
import { describeReferences } from './references/reference-failures.js';
import type { ReferenceRules } from './references/reference.options.js';
import { LONGEST_CHAIN, ReferenceResolver } from './references/reference-resolver.js';
import type { ReferenceText } from './references/reference-syntax.js';
import { settle } from './settle.js';
import { factoryEntries, variableEntries, variableFinder, withUnmentioned } from './unsourced-entries.js';
import { validateLayer } from './validate-layer.js';
import type { ResolvedSource } from './vault-source.js';

type CallLimits = { readonly signal?: AbortSignal; readonly timeoutMs?: number };
type FindVariable = ReturnType<typeof variableFinder>;

const NONE: ConfigEntries = new Map();

/**
 * Reads a plan from Vault and puts it together: once at boot, and again at every refresh.
 * @internal
 */
export class ConfigurationLoader {
  readonly #client: VaultClient;
  readonly #variables: ReadonlyMap<string, ReferenceText>;
  /** Whether it brings what its layers hold, and nothing else of the plan. */
  readonly #onlyLayers: boolean;
  #plan: ConfigPlan;

  constructor(client: VaultClient, plan: ConfigPlan, onlyLayers = false) {
    this.#client = client;
    this.#plan = plan;
    this.#onlyLayers = onlyLayers;
    const needed = !onlyLayers || plan.precedence === 'env';
    this.#variables = needed ? referencesInVariables(plan) : new Map<string, ReferenceText>();
  }

  get plan(): ConfigPlan {
    return this.#plan;
  }

  /** A loader for other layers, over the same client. */
  with(layers: readonly ConfigLayer[]): ConfigurationLoader {
    return new ConfigurationLoader(this.#client, { ...this.#plan, layers, namespaces: [], schema: undefined }, true);
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
    const { references, layers } = this.plan;
    const sources = layers.flatMap((layer) => layer.sources);
    if (!references) return readSecrets(this.#client, sources, limits);
    const texts = [...this.#variables.values(), ...referencesIn(await this.#made())];
    const reads = await readSecrets(this.#client, [...sources, ...addressesOf(texts, references)], limits);
    return references.inSecrets ? this.#follow(reads, references, limits) : reads;
  }

  /** Puts together what was read. @throws VaultConfigurationError listing everything that failed */
  async assemble(reads: SecretReads, limits: CallLimits = {}): Promise<LoadedConfiguration> {
    const { references, environment, precedence, layers, schema } = this.plan;
    const resolver = references && new ReferenceResolver(reads, references);
    const variables = resolver ? variableEntries(this.#variables, resolver) : NONE;
    const find = variableFinder(environment, variables);
    const made = factoryEntries(await this.#made(), resolver);
    const unsourced = precedence === 'env' ? made.map((entry) => preferVariable(entry, find)) : made;
    const referring = this.#onlyLayers ? NONE : variables;

    const failures: VaultError[] = [];
    const failedFeatures = new Map<string, VaultError>();
    const assembled = await Promise.all(
      layers.map(async (layer) => ({ layer, ...(await this.#assembleLayer(layer, reads, limits, resolver, find)) })),
    );
    const whole = assembled.filter((layer) => layer.failures.length === 0);
    const files = whole.flatMap((layer) => layer.files);
    for (const { layer, failures: failed } of assembled) {
      if (layer.feature !== undefined && failed.length > 0) failedFeatures.set(layer.feature, summary(failed));
      else failures.push(...failed);
    }
    if (resolver) {
      const explain = (error: VaultError, address: Parameters<typeof explainFailure>[1]) =>
        explainFailure(error, address, this.#client, limits, 'give the reference a default behind "?"');
      failures.push(...(await describeReferences(resolver.failures, explain)));
    }
    if (failures.length > 0) throw summary(failures);

    const layered = [entriesOf(unsourced), ...whole.map(({ entries }) => entries)];
    const settled = settle(merge(precedence === 'env' ? [...layered, referring] : [referring, ...layered]));
    for (const { layer, error } of hiddenNamespaces(layers, settled)) {
      if (layer.feature === undefined) failures.push(error);
      else if (!failedFeatures.has(layer.feature)) failedFeatures.set(layer.feature, summary([error]));
    }
    if (failures.length > 0) throw summary(failures);
    const validated = await validateLayer({ option: '"config"', path: [], sources: [], schema }, settled);
    if (validated.failures.length > 0) throw summary(validated.failures);
    const left = unmentionedNamespaces(layers, settled, validated.entries);
    const kept = withUnmentioned(validated.entries, settled, [...referring.values(), ...unsourced, ...left]);
    const complete = withAliases(withFiles(kept, files), this.plan.aliases);
    return {
      entries: precedence === 'env' ? withoutVariables(complete) : complete,
      reads,
      files: files.map(({ file }) => file),
      failedFeatures,
    };
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
    const resolve = (value: unknown, name: string) => resolver?.resolveDeep(value, name).value;
    const { folder } = this.plan.files;
    const assembled = this.plan.references?.inSecrets
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

  /** Reads what secrets refer to, step by step. */
  async #follow(first: SecretReads, rules: ReferenceRules, limits: CallLimits): Promise<SecretReads> {
    const reads = new Map(first);
    let latest = first;
    for (let step = 0; step < LONGEST_CHAIN; step++) {
      const texts = referencesIn([...latest.values()].map(({ secret }) => secret?.data));
      const unread = addressesOf(texts, rules).filter((address) => !reads.has(addressId(address)));
      if (unread.length === 0) break;
      latest = await readSecrets(this.#client, unread, limits);
      for (const [id, read] of latest) reads.set(id, read);
    }
    return reads;
  }

  async #made(): Promise<readonly FactoryValues[]> {
    return this.#onlyLayers ? [] : this.plan.factories.run();
  }
}

function withFiles(entries: ConfigEntries, files: readonly AssembledFile[]): ConfigEntries {
  if (files.length === 0) return entries;
  const all = new Map(entries);
  for (const { entry } of files) put(all, entry);
  return all;
}

function nothingFound({ option, sources }: ConfigLayer): VaultError {
  const paths = [...new Set(sources.map(({ mountPath, secretPath }) => `${mountPath}/${secretPath}`))];
  return new VaultNotFoundError(
    `"${option}" found none of its secrets: ${paths.join(', ')}. Write one of them, correct the option, or set "${option}.optional: true".`,
  );
}

function summary(failures: readonly VaultError[]): VaultError {
  return new VaultConfigurationError(
    `The configuration in Vault could not be loaded (${failures.length} problem${failures.length === 1 ? '' : 's'}):`,
    failures,
  );
}
