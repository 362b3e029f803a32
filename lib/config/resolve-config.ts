import type { Environment } from '../bootstrap/env-file.js';
import type { ConfigLayer, ConfigPlan } from './config-layer.js';
import type { VaultConfigOptions } from './config.options.js';
import { resolveLayout } from './layout.js';
import { resolveSource } from './vault-source.js';

/**
 * The plan for the `config` options, checked.
 *
 * @throws VaultInvalidOptionError, VaultInvalidPathError naming the option
 * @internal
 */
export function resolveConfig(options: VaultConfigOptions = {}, environment: Environment): ConfigPlan {
  const layers: ConfigLayer[] = options.layout ? [resolveLayout(options.layout, environment)] : [];
  options.sources?.forEach((source, index) => {
    const option = `config.sources[${index}]`;
    layers.push({ option, path: [], sources: [resolveSource(source, option, environment)] });
  });
  return { layers, schema: options.schema };
}
