import { VaultClosedError } from '../errors/index.js';
import type { VaultRuntime } from './vault-runtime.js';

/** One load, with those that have it. */
interface Load {
  readonly runtime: Promise<VaultRuntime>;
  ready: VaultRuntime | undefined;
  /** How many loads had become ready once this one had. */
  readyAge: number;
  failed: boolean;
  /** Scans that have asked once and will ask again under another promise. */
  owed: number;
  /** Scans that may still bring an application to it. */
  scans: number;
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
 * Applications take a load when their providers are created, which is always after their own scan: the newest that no
 * other application has. So nobody gets the closed session of an application before it, or the values of a boot that
 * failed somewhere else. A load whose scans ended without an application is closed once their containers are collected.
 * @internal
 */
export class BootMemo {
  readonly #start: () => Promise<VaultRuntime>;
  #newest: Load | undefined;
  /** Ready and not closed, in the order in which they became ready. */
  readonly #open = new Set<Load>();
  /** Counts loads that have become ready; what a scan remembers of the moment it began. */
  #age = 0;
  readonly #ended = new FinalizationRegistry<Load>((load) => {
    load.scans -= 1;
    if (load.scans === 0 && !load.taken) void this.#discard(load);
  });

  constructor(start: () => Promise<VaultRuntime>) {
    this.#start = start;
  }

  /**
   * Called when a scan comes upon the module.
   *
   * @returns the function that resolves, to what it is, once there is something for this scan's application to take
   */
  scan(): () => Promise<VaultRuntime> {
    const began = this.#age;
    const scan: Scan = {};
    return () => {
      const load = this.#loadFor(scan.load, began);
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
    if (mine && !mine.failed) return mine;
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
   * @returns the runtime, and the function that lets go of it: the last one to do so closes it
   */
  take(): { readonly runtime: VaultRuntime; readonly release: () => Promise<void> } {
    const newestFirst = [...this.#open].reverse();
    const load = newestFirst.find(({ taken }) => !taken) ?? newestFirst[0];
    if (!load?.ready) {
      throw new VaultClosedError(
        'The Vault session was closed by another application that uses the same module while this one was booting. Boot again.',
      );
    }
    load.taken = true;
    load.users += 1;
    let released = false;
    return {
      runtime: load.ready,
      release: async () => {
        if (released) return;
        released = true;
        load.users -= 1;
        if (load.users === 0) await this.#discard(load);
      },
    };
  }

  #begin(): Load {
    const load: Load = {
      runtime: this.#start(),
      ready: undefined,
      readyAge: Infinity,
      failed: false,
      owed: 1,
      scans: 0,
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

  async #discard(load: Load): Promise<void> {
    if (this.#newest === load) this.#newest = undefined;
    this.#open.delete(load);
    await load.ready?.close();
  }
}
