import type { ConfigLayer, ConfigPlan } from './config-layer.js';
import type { VaultConfigOptions } from './config.options.js';
import { resolveSource } from './vault-source.js';

/**
 * The plan for the `config` options, checked.
 *
 * @throws VaultInvalidOptionError, VaultInvalidPathError naming the option
 * @internal
 */
export function resolveConfig(options: VaultConfigOptions = {}): ConfigPlan {
  const layers = (options.sources ?? []).map((source, index): ConfigLayer => {
    const option = `config.sources[${index}]`;
    return { option, path: [], sources: [resolveSource(source, option)] };
  });
  return { layers, schema: options.schema };
}
