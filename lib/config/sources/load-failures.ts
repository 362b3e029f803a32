import type { VaultError } from '../../errors/index.js';
import { VaultConfigurationError, VaultNotFoundError } from '../../errors/index.js';
import type { ConfigLayer } from '../config-layer.js';

/** A layer of which nothing is there. @internal */
export function nothingFound({ option, sources }: ConfigLayer): VaultError {
  const paths = [...new Set(sources.map(({ mountPath, secretPath }) => `${mountPath}/${secretPath}`))];
  return new VaultNotFoundError(
    `"${option}" found none of its secrets: ${paths.join(', ')}. Write one of them, correct the option, or set "${option}.optional: true".`,
  );
}

/** Everything that failed, as one error. @internal */
export function summary(failures: readonly VaultError[]): VaultConfigurationError {
  return new VaultConfigurationError(
    `The configuration in Vault could not be loaded (${failures.length} problem${failures.length === 1 ? '' : 's'}):`,
    failures,
  );
}
