import type { DynamicModule, FactoryProvider, InjectionToken, Type } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';

/**
 * All that this package knows of Nest and `@nestjs/config` beyond their documentation. Checked on Nest 10.4, 11.2 and 12.5 with
 * `@nestjs/config` 3.3, 4.0 and 12.0 by `test/programs/nest-internals.spec.ts`, which imports nothing else of this package; so
 * this file imports nothing else either. What `BootRegistry` knows of a scan, that it reads `imports` twice and consumes the
 * first promise again at its end, is checked there too.
 */

/** Token of the object that `ConfigService` reads its values from, the host. @internal */
export const CONFIGURATION_HOST = 'CONFIGURATION_TOKEN';
/** Token of the provider that merges what a factory has made into the host. */
const CONFIGURATION_LOADER = 'CONFIGURATION_LOADER';
/** Token of the provider that adds what validation has made of the environment to the host. */
const VALIDATED_LOADER = 'VALIDATED_ENV_LOADER';
/** Key of the host with what validation has made of the environment. `ConfigService` asks it first. @internal */
export const VALIDATED_ENVIRONMENT = '_PROCESS_ENV_VALIDATED';
/** Name of the listener by which `enableShutdownHooks` ends the application on a signal. */
const SHUTDOWN_LISTENER = 'cleanup';

type Module = ModulesContainer extends Map<string, infer M> ? M : never;
type Wrapper = NonNullable<ReturnType<Module['getProviderByKey']>>;

/** A provider of `ConfigModule` that makes configuration. @internal */
export interface ConfigurationProvider {
  /** The factory that was given to `ConfigModule`. */
  readonly factory: object;
  readonly wrapper: Wrapper;
}

/** What `ConfigModule` has in an application. @internal */
export interface ConfigurationProviders {
  /** Factories in `load` and `forFeature`. */
  readonly factories: readonly ConfigurationProvider[];
  /** Calls the providers that add what validation has made, with another object in the place of the host. */
  readonly validated: (host: Record<string, unknown>) => void;
  readonly host: Wrapper | undefined;
}

/**
 * `ConfigModule.forFeature` with two of its providers changed: Nest gives configuration factories nothing, and this one gets
 * the host; and to merge what is in the host already would cost as much as writing it did.
 *
 * @internal
 */
export function configurationModule<T>({
  key,
  owner,
  ownerToken,
  connect,
  loaded,
}: ConfigurationParts<T>): DynamicModule {
  const module = ConfigModule.forFeature(Object.assign(() => ({}), { KEY: key }));
  const changes = new Map<unknown, Partial<FactoryProvider>>([
    [key, { inject: [CONFIGURATION_HOST, ownerToken], useFactory: connect }],
    [CONFIGURATION_LOADER, { inject: [ownerToken, key], useFactory: loaded }],
  ]);
  const providers = (module.providers ?? []) as FactoryProvider[];
  return {
    ...module,
    providers: [owner, ...providers.map((provider) => ({ ...provider, ...changes.get(provider.provide) }))],
    exports: [...(module.exports ?? []), ownerToken],
  };
}

/** What a module of `configurationModule` is made of. @internal */
export interface ConfigurationParts<T> {
  /** Token of the values. */
  readonly key: string;
  /** Provides what makes the values. */
  readonly owner: FactoryProvider<T | Promise<T>>;
  /** Its token, which is not read from the provider: that would begin a search for the container. */
  readonly ownerToken: string;
  /** Writes the values into the host. @returns the values */
  readonly connect: (host: Record<string, unknown>, owner: T) => object;
  /** Called in the place of what merges the values into the host. */
  readonly loaded: (owner: T) => void;
}

/** @param modules of the application, all of which have been scanned @internal */
export function configurationProviders(modules: Iterable<Module>): ConfigurationProviders {
  const factories: ConfigurationProvider[] = [];
  const loaders: Wrapper[] = [];
  let host: Wrapper | undefined;
  for (const { metatype, providers } of modules) {
    host ??= providers.get(CONFIGURATION_HOST);
    if ((metatype as unknown) !== ConfigModule) continue;
    const validated = providers.get(VALIDATED_LOADER);
    if (validated) loaders.push(validated);
    for (const token of providers.get(CONFIGURATION_LOADER)?.inject ?? []) {
      const wrapper = token === CONFIGURATION_HOST ? undefined : providers.get(token as string);
      if (wrapper) factories.push({ factory: wrapper.metatype as object, wrapper });
    }
  }
  const validated = (target: Record<string, unknown>) => {
    for (const { metatype } of loaders) (metatype as (target: object) => void)(target);
  };
  return { factories, validated, host };
}

/**
 * Puts something else in the place of what a provider makes, before any consumer receives it.
 *
 * @param change is called with the instance once it is there; what it returns is handed out, a promise once it has settled
 * @internal
 */
export function replaceInstance(wrapper: Wrapper, change: (instance: unknown) => unknown): void {
  const holder = holderOf(wrapper);
  // Several modules may have an interest in the same provider.
  const before = Object.getOwnPropertyDescriptor(holder, 'instance') as PropertyDescriptor;
  let instance: unknown;
  const enter = (given: unknown): void => {
    if (given === instance && instance !== undefined) return;
    before.set?.call(holder, given);
    const value: unknown = before.get ? before.get.call(holder) : given;
    // Null until it has been made.
    instance = value === null || value === undefined || value instanceof Promise ? value : change(value);
    // Consumers wait for instances that are promises only with this.
    if (instance instanceof Promise) Object.assign(wrapper, { async: true });
  };
  enter(holder.instance);
  Object.defineProperty(holder, 'instance', { configurable: true, enumerable: true, get: () => instance, set: enter });
}

/** The object that the injector keeps the instance in. */
function holderOf(wrapper: Wrapper): { instance: unknown } {
  let holder: { instance: unknown } | undefined;
  const find = wrapper.getInstanceByContextId.bind(wrapper);
  wrapper.getInstanceByContextId = (...args) => {
    const found = find(...args);
    holder = found;
    return found;
  };
  // The getter of the wrapper asks for the context of the application.
  void wrapper.instance;
  Reflect.deleteProperty(wrapper, 'getInstanceByContextId');
  return holder as unknown as { instance: unknown };
}

/**
 * A provider that is created with the first ones, and is given the modules of its application: what is injected comes too
 * late for that. Nest looks up the module of a provider in its container of modules, right after it has read the token of
 * the provider.
 *
 * @param prepare is called once the application has been scanned, overrides of a TestingModule included, and before any
 *   provider exists. What it returns makes the instance.
 * @internal
 */
export function earliestProvider(
  token: string,
  prepare: (modules: ModulesContainer | undefined) => () => unknown,
): FactoryProvider & { readonly provide: string } {
  return {
    get provide() {
      // The wrapper is entered in the same turn, and used in none of the next ones before this.
      findNextContainer((modules) => queueMicrotask(() => prepareIn(modules, token, prepare)));
      return token;
    },
    // For a container that was not found.
    useFactory: () => prepare(undefined)(),
    inject: [],
  };
}

function prepareIn(
  modules: ModulesContainer,
  token: string,
  prepare: (modules: ModulesContainer) => () => unknown,
): void {
  for (const { providers } of modules.values()) {
    const wrapper = providers.get(token);
    if (!wrapper || Object.hasOwn(wrapper, 'createPrototype')) continue;
    // Nest asks all wrappers for a prototype, in one turn, before it creates the first instance.
    wrapper.createPrototype = () => {
      wrapper.metatype = prepare(modules);
      wrapper.createPrototype = () => undefined as never;
      return undefined as never;
    };
  }
}

/** Providers that are values, such as the options of dynamic modules. @internal */
export function valueProviders(
  modules: ModulesContainer,
): { readonly token: InjectionToken; readonly instance: unknown }[] {
  return [...modules.values()].flatMap(({ name, providers }) =>
    // Nest's own hold the application itself.
    name === 'InternalCoreModule'
      ? []
      : [...providers.values()]
          .filter(({ metatype, inject, token }) => metatype === null && !inject && token !== ApplicationConfig)
          .map(({ token, instance }) => ({ token, instance: instance })),
  );
}

/** Whether the application has no instance yet. One that loads a module later has. @internal */
export function isNew(modules: ModulesContainer): boolean {
  return ![...modules.values()].some(({ metatype, providers }) => {
    const wrapper = providers.get(metatype);
    return wrapper !== undefined && (holderOf(wrapper) as { isResolved?: boolean }).isResolved === true;
  });
}

/** Leaves a new application nothing to create but the modules that have such a provider. @internal */
export function keepModules(modules: ModulesContainer, isKept: (token: unknown) => boolean): void {
  for (const [key, { providers }] of modules) if (![...providers.keys()].some(isKept)) modules.delete(key);
}

/** Has the hooks of a module of an application run after those of all others. @internal */
export function runLast(modules: ModulesContainer, type: Type): void {
  for (const module of modules.values()) if (module.metatype === type) module.distance = -1;
}

/**
 * Calls back when the first provider fails to be created, which ends a boot: Nest then calls no hook. Nest begins
 * with all providers in the same turn; those of which it knows nothing yet are not watched.
 *
 * @internal
 */
export function whenProviderFails(modules: ModulesContainer, failed: () => void): void {
  for (const { providers } of modules.values()) {
    for (const { settlementSignal } of providers.values()) {
      void settlementSignal?.asPromise().then((error: unknown) => error !== undefined && failed());
    }
  }
}

/** Calls back with the container whose `get` is called next, in the same turn. */
function findNextContainer(found: (modules: ModulesContainer) => void): void {
  const { prototype } = ModulesContainer;
  const restore = () => Reflect.deleteProperty(prototype, 'get');
  Object.defineProperty(prototype, 'get', {
    configurable: true,
    value: function get(this: ModulesContainer, key: string) {
      restore();
      found(this);
      return this.get(key);
    },
  });
  queueMicrotask(restore);
}

/**
 * The containers of the values of a `registerAs` factory, from its `KEY`: `CONFIGURATION(database)`, where dots in the name
 * separate containers. Empty for other factories.
 *
 * @internal
 */
export function pathOfFactory(factory: object): string[] {
  const { KEY } = factory as { readonly KEY?: unknown };
  const name = typeof KEY === 'string' ? /^CONFIGURATION\((.+)\)$/.exec(KEY)?.[1] : undefined;
  return name?.split('.') ?? [];
}

/** A change of one value, as listeners of `ConfigService.changes$` receive it. @internal */
export interface ConfigServiceChange {
  readonly path: string;
  readonly oldValue: unknown;
  readonly newValue: unknown;
}

/** Notifies the listeners of `ConfigService.changes$` without setting a value: `set` would write `process.env`. @internal */
export function notifyConfigService(config: ConfigService, change: ConfigServiceChange): void {
  (config as unknown as { readonly _changes$?: { next(change: ConfigServiceChange): void } })._changes$?.next(change);
}

/**
 * Whether `ConfigService` asks the environment before its own values, as it does before `@nestjs/config` 4 (Nest 10).
 *
 * @internal
 */
export function asksEnvironmentFirst(): boolean {
  const [name] = Object.keys(process.env).filter((key) => /^\w+$/.test(key) && process.env[key] !== '');
  const own = {};
  return name !== undefined && new ConfigService({ [name]: own }).get(name) !== own;
}

/** Whether `enableShutdownHooks` has been called for this signal. @internal */
export function hasShutdownHook(signal: NodeJS.Signals): boolean {
  return process.listeners(signal).some(({ name }) => name === SHUTDOWN_LISTENER);
}

/** Whether an error of Nest says that a provider is missing. Its classes are not exported. @internal */
export function isMissingDependency(error: unknown): error is Error {
  return error instanceof Error && /UnknownDependenciesException|UnknownElementException/.test(error.constructor.name);
}

/** Guards, pipes, interceptors and filters that controllers name: `DiscoveryService` does not list them. @internal */
export function injectablesOf({ injectables }: Module): Wrapper[] {
  return [...injectables.values()];
}

/**
 * Instances of a provider that live as long as the application and whose constructor has run: until then, Nest has an empty
 * object in the place of an instance.
 *
 * @internal
 */
export function instancesOf(wrapper: Wrapper): object[] {
  if (!wrapper.isDependencyTreeStatic()) return [];
  const created = wrapper.isTransient
    ? wrapper.getStaticTransientInstances().map((holder) => (holder?.isResolved ? holder.instance : undefined))
    : [wrapper.isNotMetatype || wrapper.initTime !== undefined ? wrapper.instance : undefined];
  return created.filter((instance) => typeof instance === 'object' && instance !== null);
}
