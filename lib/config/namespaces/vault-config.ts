import { getConfigToken, registerAs } from '@nestjs/config';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { NamespaceDefinition, VaultConfigNamespace, VaultConfigNamespaceOptions } from './config-namespace.js';
import { define } from './config-namespace.js';
import { featureModule } from './feature.module.js';
import type { SchemaOutput, StandardSchema } from '../standard-schema.js';
import type { Environment } from '../../options/env-file.js';
import { assertReadable } from '../../options/check-options.js';
import type { ConfigLayer } from '../plan.js';
import { isKeyPath } from '../reserved-keys.js';
import { isStandardSchema } from '../standard-schema.js';
import type { ResolvedSource, VaultSourceOptions } from '../sources/vault-source.js';
import { resolveSource } from '../sources/vault-source.js';

/**
 * Declares a typed namespace. List it in `config.sources`, or in `VaultModule.forFeature()` of the module that uses it.
 *
 * @param name key in `ConfigService`: with `database`, `config.get('database.password')`
 * @throws VaultInvalidOptionError, VaultInvalidPathError when the options are wrong
 * @publicApi
 */
export function vaultConfig<S extends StandardSchema<unknown, object>>(
  name: string,
  options: VaultConfigNamespaceOptions<S> & { readonly schema: S },
): VaultConfigNamespace<SchemaOutput<S> & object>;
export function vaultConfig<T extends object = Record<string, unknown>>(
  name: string,
  options: VaultConfigNamespaceOptions<undefined>,
): VaultConfigNamespace<T>;
export function vaultConfig(
  name: string,
  options: VaultConfigNamespaceOptions<never> | VaultConfigNamespaceOptions<undefined>,
): VaultConfigNamespace<object> {
  checkNamespace(name, options);
  const definition: NamespaceDefinition = {
    name,
    KEY: getConfigToken(name),
    options: options as VaultConfigNamespaceOptions,
    current: undefined,
  };
  const read = () => {
    if (definition.current) return definition.current;
    throw new VaultInvalidOptionError(
      `The configuration namespace "${name}" has not been read. List it in "config.sources" of VaultModule, or import VaultModule.forFeature() with it.`,
    );
  };
  // The properties by which @nestjs/config knows a namespace, except for asProvider: its own would not wait for Vault.
  const { asProvider: _, ...known } = Object.getOwnPropertyDescriptors(registerAs(name, read));
  const namespace: VaultConfigNamespace<object> = Object.defineProperties(() => read(), known) as never;
  namespace.asProvider = () => ({
    imports: [featureModule([namespace])],
    useFactory: (values) => values,
    inject: [definition.KEY],
  });
  define(namespace, definition);
  return namespace;
}

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
    throw refuse('has a "schema" that is not a Standard Schema; use one of zod (from 3.24), valibot or arktype.');
  if (options.vault !== undefined && typeof options.vault !== 'string')
    throw refuse('has a "vault" that is not a name.');
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
