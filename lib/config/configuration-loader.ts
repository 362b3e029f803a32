import type { VaultClient } from '../client/vault-client.js';
import type { VaultError } from '../errors/index.js';
import { VaultConfigurationError, VaultNotFoundError } from '../errors/index.js';
import { assembleLayer, put } from './assemble.js';
import type { ConfigLayer, ConfigPlan } from './config-layer.js';
import type { ConfigEntry, LoadedConfiguration } from './configuration.js';
import { explainFailure } from './explain-failure.js';
import type { SecretReads } from './read-secrets.js';
import { addressId, readSecrets } from './read-secrets.js';
import type { ResolvedSource } from './vault-source.js';
import { validateLayer } from './validate-layer.js';

type CallLimits = { readonly signal?: AbortSignal; readonly timeoutMs?: number };

/**
 * Reads a plan from Vault and puts it together: once at boot, and again at every refresh.
 * @internal
 */
export class ConfigurationLoader {
  readonly #client: VaultClient;
  #plan: ConfigPlan;

  constructor(client: VaultClient, plan: ConfigPlan) {
    this.#client = client;
    this.#plan = plan;
  }

  get plan(): ConfigPlan {
    return this.#plan;
  }

  /** A loader for other layers, over the same client. */
  with(layers: readonly ConfigLayer[]): ConfigurationLoader {
    return new ConfigurationLoader(this.#client, { layers, namespaces: [], environment: this.#plan.environment });
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
  read(limits: CallLimits = {}): Promise<SecretReads> {
    return readSecrets(this.#client, this.#sources(), limits);
  }

  /** Puts together what was read. @throws VaultConfigurationError listing everything that failed */
  async assemble(reads: SecretReads, limits: CallLimits = {}): Promise<LoadedConfiguration> {
    const entries = new Map<string, ConfigEntry>();
    const failures: VaultError[] = [];
    const failedFeatures = new Map<string, VaultError>();
    const layers = await Promise.all(
      this.plan.layers.map(async (layer) => ({ layer, ...(await this.#assembleLayer(layer, reads, limits)) })),
    );
    for (const { layer, failures: failed, entries: found } of layers) {
      if (layer.feature !== undefined && failed.length > 0) failedFeatures.set(layer.feature, summary(failed));
      else failures.push(...failed);
      if (failed.length === 0) for (const entry of found.values()) put(entries, entry);
    }
    if (failures.length > 0) throw summary(failures);
    const whole: ConfigLayer = { option: '"config"', path: [], sources: [], schema: this.plan.schema };
    const validated = await validateLayer(whole, entries);
    if (validated.failures.length > 0) throw summary(validated.failures);
    return { entries: validated.entries, reads, failedFeatures };
  }

  async #assembleLayer(layer: ConfigLayer, reads: SecretReads, limits: CallLimits) {
    const unread = await Promise.all(layer.sources.map((source) => this.#failureOf(source, reads, limits)));
    const failed = unread.filter((error) => error !== undefined);
    const assembled = assembleLayer(layer, reads);
    const failures = [...failed, ...assembled.failures];
    if (
      failures.length === 0 &&
      layer.atLeastOne &&
      !layer.sources.some((source) => reads.get(addressId(source))?.secret)
    )
      failures.push(nothingFound(layer));
    if (failures.length > 0 || !layer.schema) return { entries: assembled.entries, failures };
    return validateLayer(layer, assembled.entries);
  }

  async #failureOf(source: ResolvedSource, reads: SecretReads, limits: CallLimits): Promise<VaultError | undefined> {
    const error = reads.get(addressId(source))?.error;
    // Only "nothing there" is forgiven: neither a deleted version nor a denial is the same as never having existed.
    if (!error || (source.optional && error instanceof VaultNotFoundError)) return undefined;
    return explainFailure(error, source, this.#client, limits);
  }

  #sources(): ResolvedSource[] {
    return this.plan.layers.flatMap(({ sources }) => sources);
  }
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
