import { randomUUID } from 'node:crypto';
import type {
  DynamicModule,
  FactoryProvider,
  OnApplicationBootstrap,
  OnApplicationShutdown,
  OnModuleInit,
} from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { ConfigFactory } from '@nestjs/config';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { boot } from './bootstrap/boot.js';
import { BootMemo } from './bootstrap/boot-memo.js';
import { listenToChanges } from './bootstrap/change-listeners.js';
import { LazyPromise } from './bootstrap/lazy-promise.js';
import { refuseUnresolvedReferences } from './bootstrap/refuse-unresolved-references.js';
import { resolveAsyncOptions } from './bootstrap/resolve-async-options.js';
import { VaultApplication } from './bootstrap/vault-application.js';
import { warnOfNamesakes } from './bootstrap/warn-of-namesakes.js';
import type { FactoryValues } from './config/sources/config-factories.js';
import type { NamespaceDefinition, VaultConfigNamespace } from './config/namespaces/config-namespace.js';
import { featureModule, registeredFeatures, storeToken } from './config/namespaces/feature.module.js';
import { getVaultToken } from './inject-vault.js';
import { CONFIGURATION_HOST, CONFIGURATION_LOADER, VAULT_CONFIGURATION } from './vault.constants.js';
import type { VaultModuleAsyncOptions, VaultModuleOptions, VaultModuleRegistration } from './vault.options.js';

/** Begins and ends what goes on beside the application. */
class VaultLifecycle implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  readonly #application: VaultApplication;
  readonly #begin: () => void;

  constructor(application: VaultApplication, begin: () => void) {
    this.#application = application;
    this.#begin = begin;
  }

  // The first moment at which all providers are there. Nest does not shut down what failed to come up.
  async onModuleInit(): Promise<void> {
    try {
      this.#begin();
    } catch (error) {
      await this.#application.close();
      throw error;
    }
  }

  // After everybody's onModuleInit: an application in which one of them failed has no work that goes on.
  onApplicationBootstrap(): void {
    this.#application.start();
  }

  // The last of Nest's hooks: everything that still needs Vault to shut down has done so.
  onApplicationShutdown(): Promise<void> {
    return this.#application.close();
  }
}

/** Holds the providers, once the configuration has been read. @internal */
@Module({})
export class VaultCoreModule {}

/** Shows `forFeature` the way to the configuration, even when the module is not global. @internal */
@Module({})
export class VaultStoreModule {}

/**
 * Secrets of HashiCorp Vault or OpenBao in `ConfigService`, before any provider of the application is created, and
 * `VaultService` for everything else.
 *
 * Nothing happens when the file is imported. While Nest scans the modules, before it creates any provider, the module
 * logs in and reads its sources; what cannot be read stops the boot with a `VaultError`.
 * @publicApi
 */
@Module({})
export class VaultModule {
  /** With given options; what is left out comes from `BAO_…` and `VAULT_…` variables. */
  static forRoot(options: VaultModuleOptions = {}, registration: VaultModuleRegistration = {}): DynamicModule {
    return createModule(() => Promise.resolve(options), registration);
  }

  /** With options made by a factory that may inject other providers. */
  static forRootAsync(options: VaultModuleAsyncOptions): DynamicModule {
    return createModule(() => resolveAsyncOptions(options), options);
  }

  /**
   * Provides namespaces to the module that imports it. They are read at boot with everything else, when this was called
   * before the boot began; a module that is loaded later reads them as it is loaded.
   *
   * @throws VaultInvalidOptionError for anything but namespaces of `vaultConfig()`
   */
  static forFeature(...namespaces: VaultConfigNamespace<object>[]): DynamicModule {
    return featureModule(namespaces);
  }
}

function createModule(
  options: () => Promise<VaultModuleOptions>,
  { isGlobal = true, name }: VaultModuleRegistration,
): DynamicModule {
  const memo = new BootMemo(async () => boot(await options(), { features: registeredFeatures(name) }));
  // Nest 10 tells dynamic modules apart by their printed form, in which two calls of forRoot would look alike.
  const id = `${VAULT_CONFIGURATION}:${randomUUID()}`;
  // The same object for every boot, so that no scan is ever split over two; only other namespaces make another one.
  const cores = new Map<string, DynamicModule>();
  const coreFor = (namespaces: readonly NamespaceDefinition[], made: readonly FactoryValues[]): DynamicModule => {
    const key = JSON.stringify([...namespaces, ...made].map(({ KEY }) => KEY));
    const core =
      cores.get(key) ?? coreModule(memo, id, { isGlobal, ...(name !== undefined && { name }) }, namespaces, made);
    cores.set(key, core);
    return core;
  };
  return {
    module: VaultModule,
    global: isGlobal,
    // Read afresh at every scan, which is how the memo tells scans apart.
    get imports() {
      const load = memo.scan();
      return [
        new LazyPromise(() => load().then(async ({ plan }) => coreFor(plan.namespaces, await plan.factories.run()))),
      ];
    },
    providers: [{ provide: `${id}:module`, useValue: id }],
    exports: [VaultCoreModule],
  };
}

/** Which load an application gets is decided when its providers are created. */
function coreModule(
  memo: BootMemo,
  id: string,
  { isGlobal = true, name }: VaultModuleRegistration,
  namespaces: readonly NamespaceDefinition[],
  made: readonly FactoryValues[],
): DynamicModule {
  // The object handed to ConfigModule stands for the application: everything else is found through it.
  const applications = new WeakMap<object, VaultApplication>();
  const configuration = Object.assign(
    (host: Record<string, unknown> = {}) => {
      const { runtime, release } = memo.take();
      const application = new VaultApplication(runtime, release);
      application.store.connect(host);
      const { values } = application.store;
      applications.set(values, application);
      return values;
    },
    { KEY: id },
  );
  const of = (values: object): VaultApplication => applications.get(values) as VaultApplication;
  const ofNamespace = (namespace: NamespaceDefinition): FactoryProvider => ({
    provide: namespace.KEY,
    useFactory: (values: object) => of(values).store.show(namespace),
    inject: [id],
  });
  const tokens = new Set(namespaces.map(({ KEY }) => KEY));
  // Factories of registerAs in config.load: ConfigModule does not know them, so it has no provider for them.
  const ofFactories = made.flatMap(({ KEY, path }): FactoryProvider[] =>
    KEY === undefined || tokens.has(KEY)
      ? []
      : [{ provide: KEY, useFactory: (values: Record<string, unknown>) => at(values, path), inject: [id] }],
  );
  const service = getVaultToken(name);
  const values = valuesModule(configuration, of);
  return {
    module: VaultCoreModule,
    global: isGlobal,
    imports: [values, DiscoveryModule, storeModule(values, id, of, name)],
    providers: [
      { provide: service, useFactory: (values: object) => of(values).service, inject: [id] },
      {
        provide: VaultLifecycle,
        useFactory: (values: object, discovery: DiscoveryService, host: Record<string, unknown>) => {
          const application = of(values);
          return new VaultLifecycle(application, () => {
            refuseUnresolvedReferences(host, application.store, discovery);
            warnOfNamesakes(discovery, service, application.service, name);
            listenToChanges(discovery, application.store, name);
          });
        },
        inject: [id, DiscoveryService, CONFIGURATION_HOST],
      },
      ...namespaces.map(ofNamespace),
      ...ofFactories,
    ],
    exports: [service, ConfigModule, ...namespaces.map(({ KEY }) => KEY), ...ofFactories.map(({ provide }) => provide)],
  };
}

function at(values: Record<string, unknown>, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], values);
}

/**
 * `ConfigModule`'s part, with two of its providers changed. Nest gives configuration factories nothing; ours gets the object
 * that `ConfigService` reads its values from. And merging there what is there already would cost as much as writing it did.
 */
function valuesModule(
  configuration: ConfigFactory & { readonly KEY: string },
  of: (values: object) => VaultApplication,
): DynamicModule {
  const values = ConfigModule.forFeature(configuration);
  const changes = new Map<unknown, Partial<FactoryProvider>>([
    [configuration.KEY, { inject: [CONFIGURATION_HOST] }],
    [CONFIGURATION_LOADER, { useFactory: (_host, values: object) => of(values).store.insist() }],
  ]);
  const providers = (values.providers ?? []) as FactoryProvider[];
  return { ...values, providers: providers.map((provider) => ({ ...provider, ...changes.get(provider.provide) })) };
}

/** Of its own, because it is global even when the module is not. */
function storeModule(
  values: DynamicModule,
  id: string,
  of: (values: object) => VaultApplication,
  name: string | undefined,
): DynamicModule {
  const store: FactoryProvider = {
    provide: storeToken(name),
    useFactory: (values: object, config: ConfigService) => {
      const { store } = of(values);
      store.tell(config);
      return store;
    },
    inject: [id, ConfigService],
  };
  return { module: VaultStoreModule, global: true, imports: [values], providers: [store], exports: [store.provide] };
}
