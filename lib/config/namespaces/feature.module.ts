import type { DynamicModule, FactoryProvider } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { NamespaceDefinition, VaultConfigNamespace } from './config-namespace.js';
import { definitionOf } from './config-namespace.js';
import type { ConfigurationStore } from '../configuration-store.js';

/**
 * Namespaces that `forFeature` has been called with, by the name of the module that reads them, and by their own: of
 * several with the same name, the one declared last is read ahead.
 */
const registered = new Map<string, Map<string, NamespaceDefinition>>();

/** Factories of the providers of features. */
const factories = new WeakMap<object, NamespaceDefinition>();

/** Provides the values of namespaces. @internal */
@Module({})
export class VaultFeatureModule {}

/** Where a feature finds the configuration of its application. @internal */
export function storeToken(vault: string | undefined): string {
  return `nestjs-vault:store:${vault ?? ''}`;
}

/** @internal */
export function isStoreToken(token: unknown): boolean {
  return typeof token === 'string' && token.startsWith(storeToken(undefined));
}

/** Namespaces that a module of this name reads at boot because some feature may need them. @internal */
export function registeredFeatures(vault: string | undefined): Iterable<NamespaceDefinition> {
  return registered.get(vault ?? '')?.values() ?? [];
}

/**
 * A module that provides namespaces. They are noted here, when the file is imported, so that a boot that comes later
 * reads them before any provider exists; whether they are missed is only decided where they are provided, because not
 * every application in a process uses every feature.
 *
 * @throws VaultInvalidOptionError for anything but namespaces
 * @internal
 */
export function featureModule(namespaces: readonly VaultConfigNamespace<object>[]): DynamicModule {
  const definitions = namespaces.map((namespace) => {
    const definition = definitionOf(namespace);
    if (definition) return definition;
    throw new VaultInvalidOptionError(
      'VaultModule.forFeature() takes configuration namespaces that vaultConfig() has made.',
    );
  });
  for (const definition of definitions) {
    const vault = definition.options.vault ?? '';
    registered.set(vault, (registered.get(vault) ?? new Map<string, never>()).set(definition.name, definition));
  }
  return {
    module: VaultFeatureModule,
    providers: definitions.map(providerOf),
    exports: definitions.map(({ KEY }) => KEY),
  };
}

function providerOf(definition: NamespaceDefinition): FactoryProvider<object> {
  const { name, KEY, options } = definition;
  const useFactory = (store: ConfigurationStore | undefined) => {
    if (store) return store.provide(definition);
    const which = options.vault === undefined ? 'VaultModule' : `VaultModule with the name "${options.vault}"`;
    throw new VaultInvalidOptionError(
      `The configuration namespace "${name}" needs a ${which} in the application: import VaultModule.forRoot() or forRootAsync() in its root module.`,
    );
  };
  factories.set(useFactory, definition);
  return { provide: KEY, inject: [{ token: storeToken(options.vault), optional: true }], useFactory };
}

/**
 * Namespaces that the features of an application provide. One whose token is overridden, in a test, is not among them.
 *
 * @internal
 */
export function providedNamespaces(modules: ModulesContainer): NamespaceDefinition[] {
  const found = new Set<NamespaceDefinition>();
  for (const { metatype, providers } of modules.values()) {
    if ((metatype as unknown) !== VaultFeatureModule) continue;
    for (const { metatype: factory } of providers.values()) {
      const definition = factories.get(factory as object);
      if (definition) found.add(definition);
    }
  }
  return [...found];
}
