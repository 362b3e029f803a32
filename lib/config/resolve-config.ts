import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../options/env-file.js';
import type { ConfigLayer, ConfigPlan } from './plan.js';
import type { NamespaceDefinition } from './namespaces/config-namespace.js';
import { definitionOf, assertSameNamespace } from './namespaces/config-namespace.js';
import type { VaultConfigOptions } from './config.options.js';
import { resolveLayout } from './sources/layout.js';
import { namespaceLayer } from './namespaces/vault-config.js';
import { resolveReferenceRules } from './references/reference.options.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import { resolveSource } from './sources/vault-source.js';
import type { VaultSource } from './sources/vault-source.js';

/**
 * The plan for the `config` options, checked.
 *
 * @param features namespaces that `forFeature` was called with
 * @throws VaultInvalidOptionError, VaultInvalidPathError naming the option
 * @internal
 */
export function resolveConfig(
  options: VaultConfigOptions = {},
  environment: Environment,
  features: Iterable<NamespaceDefinition> = [],
): ConfigPlan {
  const listed = new Map<string, NamespaceDefinition>();
  const layers: ConfigLayer[] = options.layout ? [resolveLayout(options.layout, environment)] : [];
  options.sources?.forEach((source, index) => {
    const namespace = definitionOf(source);
    if (namespace) {
      const duplicate = listed.get(namespace.name);
      if (duplicate) assertSameNamespace(namespace, duplicate);
      listed.set(namespace.name, namespace);
      layers.push(namespaceLayer(namespace, environment));
      return;
    }
    const option = `config.sources[${index}]`;
    layers.push({ option, path: [], sources: [resolveSource(source as VaultSource, option, environment)] });
  });
  for (const namespace of features) {
    if (!listed.has(namespace.name))
      layers.push({ ...namespaceLayer(namespace, environment), feature: namespace.name });
  }
  if (options.exportToProcessEnv === 'references' && options.references === false) {
    throw new VaultInvalidOptionError(
      '"config.exportToProcessEnv" is "references", and "config.references" is false: there are none. Remove one of them.',
    );
  }
  const mounts = layers.flatMap(({ sources }) => sources.map(({ mountPath }) => mountPath));
  return Object.freeze({
    layers: Object.freeze(layers),
    namespaces: [...listed.values()],
    environment,
    precedence: options.precedence ?? 'vault',
    factories: options.load ?? [],
    filesFolder: join(tmpdir(), `nestjs-vault-${randomUUID()}`),
    references: resolveReferenceRules(options.references, mounts),
    aliases: options.aliases !== undefined,
    schema: options.schema,
    exports: options.exportToProcessEnv || undefined,
    refresh: options.refresh,
  });
}
