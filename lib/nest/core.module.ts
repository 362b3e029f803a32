import type {
  BeforeApplicationShutdown,
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
import type { ModulesContainer } from '@nestjs/core';
import { ApplicationFailures } from './application-failures.js';
import type { BootMemo } from '../boot/boot-registry.js';
import { listenToChanges } from './change-listeners.js';
import { guardConfiguration } from './configuration-guard.js';
import { RefusedBoot } from '../boot/refused-boot.js';
import type { CreatedProvider } from './reference-checks.js';
import { refuseCopiedReferences } from './reference-checks.js';
import { refuseUnresolvedReferences } from './reference-checks.js';
import { VaultApplication } from '../boot/application.js';
import { warnOfNamesakes } from './module-checks.js';
import { warnOfSharedKeys } from './module-checks.js';
import type { NamespaceDefinition } from '../config/namespaces/config-namespace.js';
import { storeToken } from '../config/namespaces/feature.module.js';
import type { FactoryValues } from '../config/sources/config-factories.js';
import { getVaultToken } from '../inject-vault.js';
import { earliestProvider, isNew, keepModules, runLast, valueProviders, whenProviderFails } from './nest-internals.js';
import { CONFIGURATION_HOST, CONFIGURATION_LOADER, VAULT_CONFIGURATION } from '../vault.constants.js';
import type { VaultModuleRegistration } from '../vault.options.js';

/** Holds the providers, once the configuration has been read. @internal */
@Module({})
export class VaultCoreModule {}

/** Shows `forFeature` the way to the configuration, even when the module is not global. @internal */
@Module({})
export class VaultStoreModule {}

/** Begins and ends what goes on beside the application. */
class VaultLifecycle implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
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

  // After every onModuleInit of the application: an application in which one of them failed has no work that goes on.
  onApplicationBootstrap(): void {
    this.#application.start();
  }

  // The hook before Nest closes the HTTP server, which waits for every open event stream.
  beforeApplicationShutdown(): void {
    this.#application.endStreams();
  }

  // The last of Nest's hooks: everything that still needs Vault to shut down has done so.
  onApplicationShutdown(): Promise<void> {
    return this.#application.close();
  }
}

/** Its hook is the last one of the application. @internal */
@Module({})
export class VaultUpModule {}

class VaultUp implements OnApplicationBootstrap {
  readonly #up: () => void;

  constructor(up: () => void) {
    this.#up = up;
  }

  onApplicationBootstrap(): void {
    this.#up();
  }
}

/** Applications that have not come up yet. Their containers are gone when they never will. */
const unfinished = new FinalizationRegistry<() => Promise<void>>((abandon) => void abandon());
/** Keeps the container of an application for as long as its service is referenced, since it may still be used. */
const holders = new WeakMap<object, ModulesContainer>();

/** The providers of a module that has been read. Which load an application gets is decided when they are created. @internal */
export function coreModule(
  memo: BootMemo,
  id: string,
  { isGlobal = true, name }: VaultModuleRegistration,
  namespaces: readonly NamespaceDefinition[],
  made: readonly FactoryValues[],
): DynamicModule {
  // The object handed to ConfigModule stands for the application: everything else is found through it.
  const applications = new WeakMap<object, VaultApplication>();
  // Before everything that receives configuration.
  const guard = earliestProvider(guardToken(id), (modules) => admit(memo, modules, name));
  const configuration = Object.assign(
    (...given: unknown[]) => {
      const [host, application] = given as [Record<string, unknown>, VaultApplication];
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
  const values = valuesModule(configuration, guard, of);
  return {
    module: VaultCoreModule,
    global: isGlobal,
    imports: [values, DiscoveryModule, storeModule(values, id, of, name), upModule(values, id, of)],
    providers: [
      { provide: service, useFactory: (values: object) => of(values).service, inject: [id] },
      {
        provide: VaultLifecycle,
        useFactory: (values: object, discovery: DiscoveryService, host: Record<string, unknown>) => {
          const application = of(values);
          return new VaultLifecycle(application, () => {
            refuseUnresolvedReferences(host, application.store, discovery);
            const { configuration, others } = createdProviders(discovery);
            refuseCopiedReferences(others, application.store, host, [application, ...configuration]);
            warnOfNamesakes(discovery, service, application.service, name);
            warnOfSharedKeys(host, application.store.values, name);
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

/**
 * Takes the load of an application before it has any provider, and refuses the application when one of its namespaces has
 * failed.
 *
 * @returns makes the provider that everything with configuration waits for
 */
function admit(
  memo: BootMemo,
  modules: ModulesContainer | undefined,
  name: string | undefined,
): () => VaultApplication | Promise<never> {
  const { outcome, release } = memo.take(modules);
  const application = outcome instanceof RefusedBoot ? undefined : new VaultApplication(outcome, release);
  const close = () => application?.close() ?? release();
  // A VaultModule that is loaded later refuses nothing but itself.
  const isNewApplication = modules !== undefined && isNew(modules);
  const failures = isNewApplication ? ApplicationFailures.of(modules) : new ApplicationFailures([]);
  failures.onRefusal(close);
  const namespaces = failures.namespaces.filter(({ options }) => options.vault === name);
  failures.collect(() => (application?.store ?? (outcome as RefusedBoot)).failuresOf(namespaces));
  if (isNewApplication && application) {
    failures.collect(() => {
      refuseCopiedReferences(valueProviders(modules), application.store);
      return [];
    });
  }
  if (isNewApplication && !failures.isEmpty) keepModules(modules, isGuardToken);
  if (isNewApplication && application) {
    runLast(modules, VaultUpModule);
    unfinished.register(modules, application.abandon, application);
    holders.set(application.service, modules);
  }
  return () => {
    if (isNewApplication && application) whenProviderFails(modules, () => void close());
    if (!application || !failures.isEmpty) return failures.refuse();
    return (modules && guardConfiguration(modules, application.store, close)) ?? application;
  };
}

/** What there is once an application has been created, apart from what `ConfigModule` has made. */
function createdProviders(discovery: DiscoveryService) {
  const configuration: object[] = [];
  const others: CreatedProvider[] = [];
  for (const wrapper of [...discovery.getProviders(), ...discovery.getControllers()]) {
    const { token, host } = wrapper;
    // Of the others there is a prototype only.
    if (!wrapper.isDependencyTreeStatic()) continue;
    const instance: unknown = wrapper.instance;
    if (host?.metatype !== ConfigModule) others.push({ token, instance });
    else if (typeof instance === 'object' && instance !== null) configuration.push(instance);
  }
  return { configuration, others };
}

function guardToken(id: string): string {
  return `${id}:guard`;
}

function isGuardToken(token: unknown): boolean {
  return typeof token === 'string' && token.startsWith(VAULT_CONFIGURATION) && token.endsWith(guardToken(''));
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
  guard: FactoryProvider,
  of: (values: object) => VaultApplication,
): DynamicModule {
  const values = ConfigModule.forFeature(configuration);
  const changes = new Map<unknown, Partial<FactoryProvider>>([
    [configuration.KEY, { inject: [CONFIGURATION_HOST, guardToken(configuration.KEY)] }],
    [CONFIGURATION_LOADER, { useFactory: (_host, values: object) => of(values).store.insist() }],
  ]);
  const providers = (values.providers ?? []) as FactoryProvider[];
  return {
    ...values,
    providers: [guard, ...providers.map((provider) => ({ ...provider, ...changes.get(provider.provide) }))],
  };
}

function upModule(values: DynamicModule, id: string, of: (values: object) => VaultApplication): DynamicModule {
  const useFactory = (values: object) => {
    const application = of(values);
    return new VaultUp(() => {
      unfinished.unregister(application);
      application.up();
    });
  };
  return { module: VaultUpModule, imports: [values], providers: [{ provide: VaultUp, useFactory, inject: [id] }] };
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
