import type { ConfigPlan } from '../config/plan.js';
import type { NamespaceDefinition } from '../config/namespaces/config-namespace.js';
import { failuresOf } from '../config/namespaces/config-namespace.js';
import type { FactoryValues } from '../config/sources/factories.js';
import type { FailedLoad } from '../config/sources/source-errors.js';
import { failedLoadOf } from '../config/sources/source-errors.js';
import type { VaultConfigurationError, VaultError } from '../errors/index.js';

/**
 * A boot whose sources could not be loaded, and which has released what it made. It is not thrown until the application has
 * been scanned: only then is it known which features the application has, and their failures belong in the same error.
 * @internal
 */
export class FailedBoot {
  readonly #error: VaultConfigurationError;
  readonly #load: FailedLoad;

  private constructor(error: VaultConfigurationError, load: FailedLoad) {
    this.#error = error;
    this.#load = load;
  }

  /** @throws `error` when it is not that of a load */
  static of(error: unknown): FailedBoot {
    const load = failedLoadOf(error);
    if (!load) throw error;
    return new FailedBoot(error as VaultConfigurationError, load);
  }

  get plan(): ConfigPlan {
    return this.#load.plan;
  }

  /** Values of `config.load`, if its factories have run. */
  get factoryValues(): readonly FactoryValues[] {
    return this.#load.factoryValues;
  }

  /** @param namespaces of the features of the application */
  failuresOf(namespaces: Iterable<NamespaceDefinition>): VaultError[] {
    return [...this.#error.errors, ...failuresOf(namespaces, this.#load.failedFeatures)];
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
