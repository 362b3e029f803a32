import { randomUUID } from 'node:crypto';
import type {
  BeforeApplicationShutdown,
  DynamicModule,
  FactoryProvider,
  OnApplicationBootstrap,
  OnApplicationShutdown,
  OnModuleInit,
} from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import type { ModulesContainer } from '@nestjs/core';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { Application } from '../boot/application.js';
import type { RegisteredLoad } from '../boot/boot-registry.js';
import { FailedBoot } from '../boot/failed-boot.js';
import { storeToken } from '../config/namespaces/feature.module.js';
import { getVaultToken } from '../inject-vault.js';
import type { VaultModuleRegistration } from '../vault.options.js';
import { ApplicationFailures } from './application-failures.js';
import { listenToChanges } from './change-listeners.js';
import { guardConfiguration, VAULT_CONFIGURATION } from './configuration-guard.js';
import { warnAboutConflictingKeys, warnAboutDuplicateModules } from './module-checks.js';
import {
  CONFIGURATION_HOST,
  configurationModule,
  earliestProvider,
  isNew,
  keepModules,
  runLast,
  valueProviders,
  whenProviderFails,
} from './nest-internals.js';
import type { CreatedProvider } from './reference-checks.js';
import { assertNoCopiedReferences, assertNoUnresolvedReferences } from './reference-checks.js';

const APPLICATION = ':application';

/** Has the providers of a load. @internal */
@Module({})
export class VaultCoreModule {}

/** Provides the configuration of the application to `forFeature`, even when the module is not global. */
@Module({})
class VaultConfigStoreModule {}

/** Its hook runs after those of all other modules. */
@Module({})
class VaultUpModule {}

/** Applications of one call of `forRoot`, by their containers. @internal */
export type Applications = WeakMap<ModulesContainer, Application>;

/** Applications that are not up yet. Their containers are collected when they never will be. */
const unfinished = new FinalizationRegistry<() => Promise<void>>((abandon) => void abandon());
/** Keeps the container of an application for as long as its service is referenced, since it may still be used. */
const containers = new WeakMap<object, ModulesContainer>();

/**
 * The module of one load, for all applications on it.
 *
 * @param applications those on other loads of the same call of `forRoot` too: a scan may get two loads, and then has one
 *   application
 * @internal
 */
export function coreModule(
  load: RegisteredLoad,
  applications: Applications,
  { isGlobal = true, name }: VaultModuleRegistration,
): DynamicModule {
  // Nest 10 tells dynamic modules apart by their printed form, in which those of two loads would look alike.
  const id = `${VAULT_CONFIGURATION}:${randomUUID()}`;
  const token = `${id}${APPLICATION}`;
  const {
    plan: { namespaces },
    factoryValues,
  } = load.outcome;
  /** Those made by this module, which look after them. */
  const own = new WeakSet<Application>();
  const admission = (modules: ModulesContainer | undefined) => {
    const known = modules && applications.get(modules);
    if (known) return () => known;
    return admit(load, modules, name, (application) => {
      own.add(application);
      if (modules) applications.set(modules, application);
    });
  };
  const values = configurationModule<Application>({
    key: id,
    owner: earliestProvider(token, admission),
    ownerToken: token,
    connect: (host, { store }) => {
      store.connect(host);
      return store.values;
    },
    loaded: ({ store }) => store.reapply(),
  });
  // After the values are in ConfigService.
  const inject = [token, id];
  const keys = new Set(namespaces.map(({ KEY }) => KEY));
  const provided: FactoryProvider[] = namespaces.map((namespace) => ({
    provide: namespace.KEY,
    useFactory: ({ store }: Application) => store.show(namespace),
    inject,
  }));
  for (const { KEY, path } of factoryValues) {
    if (KEY === undefined || keys.has(KEY)) continue;
    // ConfigModule does not know the factories in config.load, and has no provider for them.
    provided.push({ provide: KEY, useFactory: ({ store }: Application) => at(store.values, path), inject });
  }
  const service = getVaultToken(name);
  const store: FactoryProvider = {
    provide: storeToken(name),
    useFactory: (application: Application, config: ConfigService) => {
      application.store.notifyThrough(config);
      return application.store;
    },
    inject: [token, ConfigService, id],
  };
  const lifecycle: FactoryProvider = {
    provide: VaultLifecycle,
    useFactory: (application: Application, discovery: DiscoveryService, host: Record<string, unknown>) =>
      own.has(application)
        ? new VaultLifecycle(application, () => check(application, discovery, host, name))
        : undefined,
    inject: [token, DiscoveryService, CONFIGURATION_HOST, id],
  };
  const up: FactoryProvider = {
    provide: VaultUp,
    useFactory: (application: Application) => (own.has(application) ? new VaultUp(application) : undefined),
    inject,
  };
  return {
    module: VaultCoreModule,
    global: isGlobal,
    imports: [
      values,
      DiscoveryModule,
      { module: VaultConfigStoreModule, global: true, imports: [values], providers: [store], exports: [store.provide] },
      { module: VaultUpModule, imports: [values], providers: [up] },
    ],
    providers: [
      { provide: service, useFactory: (application: Application) => application.service, inject },
      lifecycle,
      ...provided,
    ],
    exports: [service, ConfigModule, ...provided.map(({ provide }) => provide)],
  };
}

/** Begins and ends what an application does beside its requests. */
class VaultLifecycle implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #application: Application;
  readonly #check: () => void;

  constructor(application: Application, check: () => void) {
    this.#application = application;
    this.#check = check;
  }

  // The first moment at which all providers exist. Nest does not shut down an application that failed to come up.
  async onModuleInit(): Promise<void> {
    try {
      this.#check();
    } catch (error) {
      await this.#application.close();
      throw error;
    }
  }

  // After every onModuleInit: an application in which one of them failed has no work that goes on.
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

class VaultUp implements OnApplicationBootstrap {
  readonly #application: Application;

  constructor(application: Application) {
    this.#application = application;
  }

  onApplicationBootstrap(): void {
    unfinished.unregister(this.#application);
    this.#application.up();
  }
}

/**
 * Takes the load for an application before that has any provider, and rejects the application when one of its namespaces has
 * failed.
 *
 * @param created called with the application
 * @returns makes the provider that everything with configuration waits for
 */
function admit(
  load: RegisteredLoad,
  modules: ModulesContainer | undefined,
  name: string | undefined,
  created: (application: Application) => void,
): () => Application | Promise<never> {
  const { outcome, release } = load.take();
  const application = outcome instanceof FailedBoot ? undefined : new Application(outcome, release);
  if (application) created(application);
  const close = () => application?.close() ?? release();
  // A VaultModule that is loaded later rejects nothing but itself.
  const isNewApplication = modules !== undefined && isNew(modules);
  const failures = isNewApplication ? ApplicationFailures.of(modules) : new ApplicationFailures([]);
  failures.onRejection(close);
  const namespaces = failures.namespaces.filter(({ options }) => options.vault === name);
  failures.collect(() => (application?.store ?? (outcome as FailedBoot)).failuresOf(namespaces));
  if (isNewApplication && application) {
    failures.collect(() => {
      assertNoCopiedReferences(valueProviders(modules), application.store);
      return [];
    });
  }
  if (isNewApplication && !failures.isEmpty) keepModules(modules, isApplicationToken);
  if (isNewApplication && application) {
    runLast(modules, VaultUpModule);
    unfinished.register(modules, application.abandon, application);
    containers.set(application.service, modules);
  }
  return () => {
    if (isNewApplication && application) whenProviderFails(modules, () => void close());
    if (!application || !failures.isEmpty) return failures.reject();
    return (modules && guardConfiguration(modules, application.store, close)) ?? application;
  };
}

/** Called when all providers exist. @throws VaultInvalidOptionError */
function check(
  application: Application,
  discovery: DiscoveryService,
  host: Record<string, unknown>,
  name: string | undefined,
): void {
  const { store, service } = application;
  assertNoUnresolvedReferences(host, store, discovery);
  const { configuration, others } = createdProviders(discovery);
  assertNoCopiedReferences(others, store, host, [application, ...configuration]);
  warnAboutDuplicateModules(discovery, getVaultToken(name), service, name);
  warnAboutConflictingKeys(host, store.values, name);
  listenToChanges(discovery, store, name);
}

/** The providers of an application, those of `ConfigModule` apart. */
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

function isApplicationToken(token: unknown): boolean {
  return typeof token === 'string' && token.startsWith(VAULT_CONFIGURATION) && token.endsWith(APPLICATION);
}

function at(values: Record<string, unknown>, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], values);
}
