import { VaultClosedError } from '../errors/index.js';
import type { VaultRuntime } from './vault-runtime.js';

/** One load, with the number of applications that live on it. */
interface Load {
  readonly runtime: Promise<VaultRuntime>;
  readonly order: number;
  ready: VaultRuntime | undefined;
  /** How many loads had become ready once this one had. */
  readyAge: number;
  /** Scans that have asked once and will ask again under another promise. */
  owed: number;
  taken: boolean;
  users: number;
}

/**
 * Decides which boot gets which load, for one `forRoot` call.
 *
 * Nest asks several times within one scan, and several applications may be scanned at once. A scan that began before a
 * load was ready shares it, as long as no application has taken it; applications take a load when their providers are
 * created, which is always after their own scan. Every other scan gets a fresh load: never the closed session of an
 * application before it, nor the values of a boot that failed somewhere else.
 * @internal
 */
export class BootMemo {
  readonly #start: () => Promise<VaultRuntime>;
  #newest: Load | undefined;
  #ready: Load | undefined;
  /** Counts loads that have become ready; what a scan remembers of the moment it began. */
  #age = 0;
  #begun = 0;

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
    let mine: Load | undefined;
    return async () => {
      mine = this.#loadFor(mine, began);
      return mine.runtime;
    };
  }

  /** Nest reads `imports` twice at the start of a scan, once before a load is ready and once after: the second is owed. */
  #loadFor(mine: Load | undefined, began: number): Load {
    const newest = this.#newest;
    if (newest && !newest.taken) {
      if (mine === newest) return newest;
      if (mine === undefined && began < newest.readyAge) {
        newest.owed += 1;
        return newest;
      }
      if (mine === undefined && newest.owed > 0) {
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
    const load = this.#ready;
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
      order: ++this.#begun,
      ready: undefined,
      readyAge: Infinity,
      owed: 1,
      taken: false,
      users: 0,
    };
    this.#newest = load;
    load.runtime.then(
      (runtime) => {
        load.ready = runtime;
        load.readyAge = ++this.#age;
        // Of two loads nobody has taken, the one begun later has the newer values; the other is not needed any more.
        const outdated = this.#ready && this.#ready.order > load.order ? load : this.#ready;
        if (outdated !== load) this.#ready = load;
        if (outdated && !outdated.taken) void outdated.ready?.close();
      },
      () => {
        // A failure is never remembered.
        if (this.#newest === load) this.#newest = undefined;
      },
    );
    return load;
  }

  async #discard(load: Load): Promise<void> {
    if (this.#newest === load) this.#newest = undefined;
    if (this.#ready === load) this.#ready = undefined;
    await load.ready?.close();
  }
}
