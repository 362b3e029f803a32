import type { VaultError } from '../../errors/index.js';
import { VaultConfigurationError, VaultNotFoundError } from '../../errors/index.js';
import type { ConfigLayer, ConfigPlan } from '../plan.js';
import type { FactoryValues } from './config-factories.js';

/** A layer of which nothing is there. @internal */
export function nothingFound({ option, sources }: ConfigLayer): VaultError {
  const paths = [...new Set(sources.map(({ mountPath, secretPath }) => `${mountPath}/${secretPath}`))];
  return new VaultNotFoundError(
    `"${option}" found none of its secrets: ${paths.join(', ')}. Write one of them, correct the option, or set "${option}.optional: true".`,
  );
}

/** What else is known of a load that failed. @internal */
export interface FailedLoad {
  readonly plan: ConfigPlan;
  readonly factoryValues: readonly FactoryValues[];
  /** Namespaces of features that failed too: they are part of the error of an application that has those features. */
  readonly failedFeatures: ReadonlyMap<string, VaultConfigurationError>;
}

const failedLoads = new WeakMap<object, FailedLoad>();

/** The error of a load. @internal */
export function loadFailure(failures: readonly VaultError[], load: FailedLoad): VaultConfigurationError {
  const error = summary(failures);
  failedLoads.set(error, load);
  return error;
}

/** `undefined` for anything but the error of a load. @internal */
export function failedLoadOf(error: unknown): FailedLoad | undefined {
  return typeof error === 'object' && error !== null ? failedLoads.get(error) : undefined;
}

/** Everything that failed, as one error. @internal */
export function summary(failures: readonly VaultError[]): VaultConfigurationError {
  return new VaultConfigurationError(
    `The configuration in Vault could not be loaded (${failures.length} problem${failures.length === 1 ? '' : 's'}):`,
    failures,
  );
}
