import { Logger } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import { MetadataScanner } from '@nestjs/core';
import type { VaultConfigChange } from '../config/refresh/config-change.js';
import type { ConfigurationStore } from '../config/configuration-store.js';
import { concerns, listenersOf } from '../config/refresh/on-vault-change.js';
import { redact } from '../errors/redact.js';

type Method = (change: VaultConfigChange) => unknown;

const logger = new Logger('VaultModule');

/**
 * Finds the methods that `OnVaultChange` marks and calls them after each change, one after the other in the order of
 * their modules. Only of providers and controllers that live as long as the application.
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
  const wrappers = [...discovery.getProviders(), ...discovery.getControllers()];
  for (const wrapper of wrappers) {
    const instance = wrapper.isDependencyTreeStatic() ? (wrapper.instance as object | null | undefined) : undefined;
    const prototype: unknown = instance && Object.getPrototypeOf(instance);
    if (!instance || !prototype) continue;
    for (const name of scanner.getAllMethodNames(prototype)) {
      const method = (instance as Record<string, unknown>)[name];
      const listeners = listenersOf(method).filter((listener) => listener.vault === vault);
      if (listeners.length === 0) continue;
      const what = `${instance.constructor.name}.${name}`;
      store.changes$.subscribe((change) => {
        if (listeners.some((listener) => concerns(listener, change)))
          void call(method as Method, instance, change, what);
      });
    }
  }
}

/** The message of what it throws is left out: it is the application's own and may quote a value. */
async function call(method: Method, instance: object, change: VaultConfigChange, what: string): Promise<void> {
  try {
    await method.call(instance, change);
  } catch (error) {
    const kind = error instanceof Error ? redact(error.name) : typeof error;
    logger.error(`${what} failed (${kind}) after a change of ${change.keys.join(', ')}.`);
  }
}
