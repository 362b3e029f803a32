import { VaultClosedError } from '../errors/index.js';
import type { VaultRuntime } from './vault-runtime.js';

/** One load, with the number of applications that live on it. */
interface Attempt {
  readonly runtime: Promise<VaultRuntime>;
  ready: VaultRuntime | undefined;
  taken: boolean;
  users: number;
}

/**
 * Decides which boot gets which load, for one `forRoot` call.
 *
 * One application asks several times while it is scanned, and several applications may be scanned at once; they cannot
 * be told apart, so all of them share the load under way or just finished. An application then takes it when its
 * providers are created, which is always after its own scan. Whoever asks after that is a later boot, and gets a fresh
 * load: never the closed session of an application before it, nor the values of a boot that failed further on.
 * @internal
 */
export class BootMemo {
  #newest: Attempt | undefined;
  #ready: Attempt | undefined;

  constructor(private readonly start: () => Promise<VaultRuntime>) {}

  /** Called during a scan: resolves once there is something to take. */
  async load(): Promise<void> {
    if (!this.#newest || this.#newest.taken) this.#newest = this.#begin();
    await this.#newest.runtime;
  }

  /**
   * Called when an application creates its providers.
   *
   * @returns the runtime, and the function that lets go of it: the last one to do so closes it
   */
  take(): { readonly runtime: VaultRuntime; readonly release: () => Promise<void> } {
    const attempt = this.#ready;
    if (!attempt?.ready) {
      throw new VaultClosedError(
        'The Vault session was closed by another application that uses the same module while this one was booting. Boot again.',
      );
    }
    const runtime = attempt.ready;
    attempt.taken = true;
    attempt.users += 1;
    let released = false;
    return {
      runtime,
      release: async () => {
        if (released) return;
        released = true;
        attempt.users -= 1;
        if (attempt.users === 0) await this.#discard(attempt);
      },
    };
  }

  #begin(): Attempt {
    const attempt: Attempt = { runtime: this.start(), ready: undefined, taken: false, users: 0 };
    attempt.runtime.then(
      (runtime) => {
        attempt.ready = runtime;
        const previous = this.#ready;
        this.#ready = attempt;
        // Loaded for a boot that never came as far as taking it.
        if (previous && previous.users === 0) void previous.ready?.close();
      },
      () => {
        // A failure is never remembered.
        if (this.#newest === attempt) this.#newest = undefined;
      },
    );
    return attempt;
  }

  async #discard(attempt: Attempt): Promise<void> {
    if (this.#newest === attempt) this.#newest = undefined;
    if (this.#ready === attempt) this.#ready = undefined;
    await attempt.ready?.close();
  }
}
