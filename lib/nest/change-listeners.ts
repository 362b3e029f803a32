import { Logger } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import { MetadataScanner } from '@nestjs/core';
import { formatDuration, printable, formatList } from '../errors/format.js';
import type { VaultConfigChange } from '../config/refresh/changes.js';
import { concerns, listenersOf } from '../config/refresh/changes.js';
import type { ConfigurationStore } from '../config/configuration-store.js';
import { race, TIMED_OUT } from '../lifetime/race.js';
import { failureKind } from '../errors/redact.js';
import { injectablesOf, instancesOf } from './nest-internals.js';

type Method = (change: VaultConfigChange) => unknown;
type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

const logger = new Logger('VaultModule');

/** A method that takes longer is reported, and the next one is called. */
const LISTENER_TIMEOUT_MS = 30_000;

/**
 * Calls the methods that `OnVaultChange` marks after each change, in the order of their modules: each when the one before has
 * ended, and those of the next change after all of these. They are looked up at every change, because modules may be loaded
 * later. Only providers, controllers and what these use count that live as long as the application, transient instances of
 * them included. After the end of `changes$` no other method is called.
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
  let closed = false;
  let running = 0;
  let work = Promise.resolve();
  const notify = async (change: VaultConfigChange): Promise<void> => {
    running++;
    // An instance may have several tokens.
    for (const instance of new Set(inModuleOrder(discovery).flatMap(instancesOf))) {
      const prototype = Object.getPrototypeOf(instance) as object | null;
      for (const name of prototype ? markedIn(prototype) : []) {
        const listeners = listenersOf((prototype as Record<string, unknown>)[name]);
        if (closed) return;
        if (!listeners.some((listener) => listener.vault === vault && concerns(listener, change))) continue;
        const called = call((instance as Record<string, Method>)[name] as Method, instance, change, name, () => closed);
        // Methods that are not asynchronous have all been called when the refresh returns.
        if (called) await called;
      }
    }
    running--;
  };
  store.changes$.subscribe({
    next: (change) => void (work = running > 0 ? work.then(() => notify(change)) : notify(change)),
    complete: () => void (closed = true),
  });
}

function inModuleOrder(discovery: DiscoveryService): Wrapper[] {
  const listed = [...discovery.getProviders(), ...discovery.getControllers()];
  const modules = [...new Set(listed.flatMap(({ host }) => host ?? []))];
  const wrappers = [...listed, ...modules.flatMap(injectablesOf)];
  const ranks = new Map<unknown, number>(modules.map((module, rank) => [module, rank]));
  const rankOf = ({ host }: Wrapper) => ranks.get(host) ?? modules.length;
  return wrappers.sort((one, other) => rankOf(one) - rankOf(other));
}

/**
 * The message of what it throws is left out: it is the application's own and may quote a value.
 *
 * @returns what to wait for, when the method is asynchronous
 */
function call(
  method: Method,
  instance: object,
  change: VaultConfigChange,
  name: string,
  isClosed: () => boolean,
): Promise<void> | undefined {
  const which = `${printable(String(instance.constructor.name))}.${printable(name)}`;
  const after = `after a change of ${formatList(change.keys.map(printable))}`;
  const failed = (error: unknown) => logger.error(`${which} failed (${failureKind(error)}) ${after}.`);
  try {
    const result = method.call(instance, change);
    if (typeof (result as PromiseLike<unknown> | undefined)?.then !== 'function') return undefined;
    const ended = Promise.resolve(result).then(() => undefined);
    return race(ended, { timeoutMs: LISTENER_TIMEOUT_MS, keepAlive: false }).then((outcome) => {
      if (outcome !== TIMED_OUT || isClosed()) return;
      logger.warn(
        `${which} has not returned within ${formatDuration(LISTENER_TIMEOUT_MS)} ${after}. The next one is called.`,
      );
      ended.catch(failed);
    }, failed);
  } catch (error) {
    failed(error);
    return undefined;
  }
}
