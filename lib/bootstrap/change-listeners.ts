import { Logger } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import { MetadataScanner } from '@nestjs/core';
import type { VaultConfigChange } from '../config/refresh/config-change.js';
import { printable, shortList } from '../config/printable.js';
import type { ConfigurationStore } from '../config/configuration-store.js';
import { concerns, listenersOf } from '../config/refresh/on-vault-change.js';
import { failureKind } from '../errors/redact.js';

type Method = (change: VaultConfigChange) => unknown;
type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

const logger = new Logger('VaultModule');

/**
 * Calls the methods that `OnVaultChange` marks after each change, one after the other in the order of their modules. They
 * are looked for at every change, because modules may be loaded later. Only of providers, controllers and what these use that
 * live as long as the application, each transient instance of them included.
 *
 * @param vault name of the module whose changes these are
 * @internal
 */
export function listenToChanges(
  discovery: DiscoveryService,
  store: ConfigurationStore,
  vault: string | undefined,
): void {
  const scanner = new MetadataScanner();
  const known = new WeakMap<object, readonly string[]>();
  const markedIn = (prototype: object): readonly string[] => {
    const methods = prototype as Record<string, unknown>;
    const marked = known.get(prototype) ?? scanner.getAllMethodNames(prototype).filter((name) => listenersOf(methods[name]).length > 0); // prettier-ignore
    known.set(prototype, marked);
    return marked;
  };
  store.changes$.subscribe((change) => {
    const listed = [...discovery.getProviders(), ...discovery.getControllers()];
    // Guards, pipes, interceptors and filters that controllers name are in none of these lists.
    const modules = new Set(listed.flatMap(({ host }) => host ?? []));
    const wrappers = [...listed, ...[...modules].flatMap(({ injectables }) => [...injectables.values()])];
    // An instance may have several tokens.
    for (const instance of new Set(wrappers.flatMap(instancesOf))) {
      const prototype = Object.getPrototypeOf(instance) as object | null;
      for (const name of prototype ? markedIn(prototype) : []) {
        const listeners = listenersOf((prototype as Record<string, unknown>)[name]);
        if (listeners.some((listener) => listener.vault === vault && concerns(listener, change)))
          void call((instance as Record<string, Method>)[name] as Method, instance, change, name);
      }
    }
  });
}

/** Those whose constructor has run: until then, Nest has an empty object in the place of an instance. */
function instancesOf(wrapper: Wrapper): object[] {
  if (!wrapper.isDependencyTreeStatic()) return [];
  const made = wrapper.isTransient
    ? wrapper.getStaticTransientInstances().map((host) => (host?.isResolved ? (host.instance as unknown) : undefined))
    : [wrapper.isNotMetatype || wrapper.initTime !== undefined ? (wrapper.instance as unknown) : undefined];
  return made.filter((instance) => typeof instance === 'object' && instance !== null);
}

/** The message of what it throws is left out: it is the application's own and may quote a value. */
async function call(method: Method, instance: object, change: VaultConfigChange, name: string): Promise<void> {
  try {
    await method.call(instance, change);
  } catch (error) {
    logger.error(
      `${instance.constructor.name}.${name} failed (${failureKind(error)}) after a change of ${shortList(change.keys.map(printable))}.`,
    );
  }
}
