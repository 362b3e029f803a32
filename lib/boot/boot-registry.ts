import type { ModulesContainer } from '@nestjs/core';
import { VaultClosedError } from '../errors/index.js';
import type { RefusedBoot } from './refused-boot.js';
import type { VaultRuntime } from './vault-runtime.js';

/** What a load has come to. @internal */
export type BootOutcome = VaultRuntime | RefusedBoot;

/** One load, with those that have it. */
interface Load {
  readonly runtime: Promise<BootOutcome>;
  ready: BootOutcome | undefined;
  /** How many loads had become ready once this one had. */
  readyAge: number;
  failed: boolean;
  closed: boolean;
  /** Scans that have asked once and will ask again under another promise. */
  owed: number;
  /** Scans that may still bring an application to it. */
  scans: number;
  /** Containers that will bring an application to it. */
  claims: number;
  taken: boolean;
  users: number;
}

/** What a scan holds for as long as its container exists. */
interface Scan {
  load?: Load;
}

/**
 * Decides which boot gets which load, for one `forRoot` call.
 *
 * Nest asks several times within one scan, and several applications may be scanned at once. A scan that began before a
 * load was ready shares it, as long as no application has taken it; every other scan begins a load of its own and keeps it.
 * Applications take the load that their scan has claimed when their providers are created; without a claim, the newest that
 * no other application has. So nobody gets the closed session of an application before it, or the values of a boot that
 * failed somewhere else. A load whose scans ended without an application is closed once their containers are collected.
 * @internal
 */
export class BootMemo {
  readonly #start: () => Promise<BootOutcome>;
  #newest: Load | undefined;
  /** Ready and not closed, in the order in which they became ready. */
  readonly #open = new Set<Load>();
  /** Counts loads that have become ready; what a scan remembers of the moment it began. */
  #age = 0;
  readonly #ended = new FinalizationRegistry<Load>((load) => {
    load.scans -= 1;
    if (load.scans === 0 && !load.taken) void this.#discard(load);
  });

  readonly #claims = new WeakMap<ModulesContainer, Load>();
  readonly #abandoned = new FinalizationRegistry<Load>((load) => {
    load.claims -= 1;
    if (load.taken) void this.#discardUnused(load);
  });

  constructor(start: () => Promise<BootOutcome>) {
    this.#start = start;
  }

  /**
   * Called when a scan comes upon the module.
   *
   * @returns the function that resolves, to what it is, once there is something for this scan's application to take. With the
   *   container of the application, which is known when all modules have been scanned, it stays until that takes it.
   */
  scan(): (modules?: ModulesContainer) => Promise<BootOutcome> {
    const began = this.#age;
    const scan: Scan = {};
    return (modules) => {
      const load = this.#loadFor(scan.load, began);
      if (modules) this.#claim(modules, load);
      if (load !== scan.load) {
        scan.load = load;
        load.scans += 1;
        this.#ended.register(scan, load);
      }
      return load.runtime;
    };
  }

  /** Nest reads `imports` twice at the start of a scan, once before a load is ready and once after: the second is owed. */
  #loadFor(mine: Load | undefined, began: number): Load {
    // Nest asks once more when all modules are scanned: a load whose last application has closed meanwhile is begun anew.
    if (mine && !mine.failed && !mine.closed) return mine;
    const newest = this.#newest;
    if (newest && !newest.taken) {
      if (began < newest.readyAge) {
        newest.owed += 1;
        return newest;
      }
      if (newest.owed > 0) {
        newest.owed -= 1;
        return newest;
      }
    }
    return this.#begin();
  }

  /**
   * Called when an application creates its providers.
   *
   * @returns what the load has come to, and the function that lets go of it: the last one to do so closes it
   */
  take(modules?: ModulesContainer): { readonly outcome: BootOutcome; readonly release: () => Promise<void> } {
    const newestFirst = [...this.#open].reverse();
    const load = this.#claimed(modules) ?? newestFirst.find(({ taken }) => !taken) ?? newestFirst[0];
    if (!load?.ready) {
      throw new VaultClosedError(
        'The Vault session was closed by another application that uses the same module while this one was booting. Boot again.',
      );
    }
    load.taken = true;
    load.users += 1;
    let released = false;
    return {
      outcome: load.ready,
      release: async () => {
        if (released) return;
        released = true;
        load.users -= 1;
        await this.#discardUnused(load);
        // What overlapping scans have begun and no application has claimed. A scan that is still under way begins another one.
        const unclaimed = [...this.#open].filter(({ taken, claims }) => !taken && claims === 0);
        await Promise.all(unclaimed.map((other) => this.#discard(other)));
      },
    };
  }

  #claim(modules: ModulesContainer, load: Load): void {
    if (this.#claims.get(modules) === load) return;
    this.#claimed(modules);
    this.#claims.set(modules, load);
    this.#abandoned.register(modules, load, modules);
    load.claims += 1;
  }

  /** What a container has claimed, which it does no longer. */
  #claimed(modules: ModulesContainer | undefined): Load | undefined {
    const load = modules && this.#claims.get(modules);
    if (!load) return undefined;
    this.#claims.delete(modules);
    this.#abandoned.unregister(modules);
    load.claims -= 1;
    return this.#open.has(load) ? load : undefined;
  }

  #begin(): Load {
    const load: Load = {
      runtime: this.#start(),
      ready: undefined,
      readyAge: Infinity,
      failed: false,
      closed: false,
      owed: 1,
      scans: 0,
      claims: 0,
      taken: false,
      users: 0,
    };
    this.#newest = load;
    load.runtime.then(
      (runtime) => {
        load.ready = runtime;
        load.readyAge = ++this.#age;
        this.#open.add(load);
      },
      () => {
        // A failure is never remembered.
        load.failed = true;
        if (this.#newest === load) this.#newest = undefined;
      },
    );
    return load;
  }

  async #discardUnused(load: Load): Promise<void> {
    if (load.users === 0 && load.claims === 0) await this.#discard(load);
  }

  async #discard(load: Load): Promise<void> {
    load.closed = true;
    if (this.#newest === load) this.#newest = undefined;
    this.#open.delete(load);
    await load.ready?.close();
  }
}

/**
 * A promise that starts its work when it is first consumed, and asks again at every consumption.
 *
 * Nest's scanner awaits promises in `imports` before it creates any provider, which is the moment wanted: merely
 * importing the file that declares the module must start nothing. As nothing runs until somebody listens, there is
 * never a rejection that nobody handles.
 * @internal
 */
export class LazyPromise<T> extends Promise<T> {
  readonly #work: () => Promise<T>;

  constructor(work: () => Promise<T>) {
    super(() => undefined);
    this.#work = work;
  }

  // Promises derived from this one are ordinary ones.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#work().then(onFulfilled, onRejected);
  }
}
