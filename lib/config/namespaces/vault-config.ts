import { getConfigToken, registerAs } from '@nestjs/config';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { NamespaceDefinition, VaultConfigNamespace, VaultConfigNamespaceOptions } from './config-namespace.js';
import { define } from './config-namespace.js';
import { featureModule } from './feature.module.js';
import { checkNamespace } from './namespace-layer.js';
import type { SchemaOutput, StandardSchema } from '../standard-schema.js';

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
