import type { Environment } from '../../options/env-file.js';
import { assertReadable } from '../../options/check-options.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { NamespaceDefinition } from './config-namespace.js';
import type { ConfigLayer } from '../plan.js';
import { isKeyPath } from '../reserved-keys.js';
import { isStandardSchema } from '../standard-schema.js';
import type { ResolvedSource, VaultSourceOptions } from '../sources/vault-source.js';
import { resolveSource } from '../sources/vault-source.js';

/** The layer a namespace is. @throws VaultInvalidOptionError, VaultInvalidPathError naming the namespace @internal */
export function namespaceLayer(namespace: NamespaceDefinition, environment: Environment): ConfigLayer {
  const { name, options } = namespace;
  const option = `vaultConfig(${JSON.stringify(name)})`;
  const { sources, schema, vault: _, ...source } = options;
  return {
    option,
    namespace,
    path: name.split('.'),
    sources: sources
      ? sources.map((entry, index): ResolvedSource => resolveSource(entry, `${option}.sources[${index}]`, environment))
      : [resolveSource(source as VaultSourceOptions, option, environment)],
    schema,
  };
}

/** What can be said about a namespace where it is declared, before there is an environment. @internal */
export function checkNamespace(name: unknown, given: unknown): void {
  if (typeof name !== 'string' || name === '')
    throw new VaultInvalidOptionError('vaultConfig() takes a name first, such as "database".');
  const refuse = (why: string) => new VaultInvalidOptionError(`vaultConfig(${JSON.stringify(name)}) ${why}`);
  if (!isKeyPath(name))
    throw refuse('has a name that no configuration key may have; a name such as "database" is fine.');
  if (typeof given !== 'object' || given === null) throw refuse('takes an object such as { secretPath: "my-app" }.');
  assertReadable(given, `vaultConfig(${JSON.stringify(name)})`);
  const options: NamespaceDefinition['options'] = given;
  if ((options.sources === undefined) === (options.secretPath === undefined))
    throw refuse('takes either "secretPath" or "sources".');
  if (options.sources !== undefined) checkSources(options, refuse);
  if ('as' in options) throw refuse('takes no "as": its name says where the values go.');
  if (options.schema !== undefined && !isStandardSchema(options.schema))
    throw refuse('has a "schema" that is no Standard Schema; take one of zod (from 3.24), valibot or arktype.');
  if (options.vault !== undefined && typeof options.vault !== 'string') throw refuse('has a "vault" that is no name.');
}

function checkSources(
  { sources, schema: _, vault: __, ...others }: NamespaceDefinition['options'],
  refuse: (why: string) => VaultInvalidOptionError,
): void {
  if (!Array.isArray(sources)) throw refuse('takes a list as "sources".');
  if (sources.length === 0) throw refuse('has an empty list of "sources".');
  const [stray] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  if (stray === undefined) return;
  throw refuse(
    `has ${JSON.stringify(stray)} beside "sources", where it counts for none of them. Options of a secret go into its entry: sources: [{ secretPath, … }].`,
  );
}
