import type { DynamicModule } from '@nestjs/common';
import { VaultClosedError } from '../errors/index.js';
import type { FailedBoot } from './failed-boot.js';
import type { Load } from './load.js';

/** What a boot has come to. @internal */
export type BootOutcome = Load | FailedBoot;

/** How long the second read of a scan is expected: a scan that has failed never comes back for it. */
const PENDING_READ_TIMEOUT_MS = 10_000;
/** How long a load may have no application while a scan may still bring one. */
const UNUSED_LOAD_TIMEOUT_MS = 60_000;

/**
 * Decides which scan gets which load, for one call of `forRoot`.
 *
 * Nest reads the `imports` of a dynamic module twice in a scan, and consumes the promise of the first read before it makes the
 * second. Nothing says which scan a read belongs to, and several applications may be scanned at the same time. So a promise
 * joins the newest load while that is being made, or when a scan on it has consumed only one promise so far; otherwise it
 * begins a load. It keeps its load for good.
 * @internal
 */
export class BootRegistry {
  readonly #start: () => Promise<BootOutcome>;
  #newest: RegisteredLoad | undefined;

  /** @param start makes one load */
  constructor(start: () => Promise<BootOutcome>) {
    this.#start = start;
  }

  /**
   * Called for each read of `imports`.
   *
   * @param coreOf makes the module of a load; it is made once, so that both reads of a scan find the same one
   */
  read(coreOf: (load: RegisteredLoad) => DynamicModule): Promise<DynamicModule> {
    let load: RegisteredLoad | undefined;
    return new LazyPromise(async () => {
      if (!load || load.isForgotten) load = this.#join();
      await load.open();
      load.core ??= coreOf(load);
      return load.core;
    });
  }

  #join(): RegisteredLoad {
    if (this.#newest?.join()) return this.#newest;
    this.#newest = new RegisteredLoad(this.#start);
    return this.#newest;
  }
}

/**
 * One load and how many scans and applications are on it. Without an application it is closed: at once, or after a while when
 * a scan may still bring one.
 * @internal
 */
export class RegisteredLoad {
  /** The module with its providers. */
  core: DynamicModule | undefined;
  readonly #start: () => Promise<BootOutcome>;
  #opening: Promise<BootOutcome> | undefined;
  #outcome: BootOutcome | undefined;
  /** What the core module provides. */
  #keys: string | undefined;
  #isForgotten = false;
  #applications = 0;
  /** Scans that have not brought their application yet. */
  #scans = 1;
  /** Scans that have consumed only one promise so far. */
  #pendingReads = 1;
  #readsPendingUntil = Infinity;
  #unused: NodeJS.Timeout | undefined;

  constructor(start: () => Promise<BootOutcome>) {
    this.#start = start;
  }

  /** Whether it has failed: the next promise begins another load. */
  get isForgotten(): boolean {
    return this.#isForgotten;
  }

  /** What the boot has come to. @throws VaultClosedError while it is closed */
  get outcome(): BootOutcome {
    if (!this.#outcome) throw closedError();
    return this.#outcome;
  }

  /** Whether a promise that is consumed for the first time gets this load. */
  join(): boolean {
    if (this.#opening && !this.#outcome) {
      this.#scans += 1;
      this.#pendingReads += 1;
      return true;
    }
    if (!this.#opening || this.#pendingReads === 0 || performance.now() > this.#readsPendingUntil) return false;
    this.#pendingReads -= 1;
    return true;
  }

  /**
   * Makes the load, or makes it again when it has been closed: Nest consumes the promise of the first read once more when all
   * modules are scanned, and the last application may have closed meanwhile.
   */
  open(): Promise<BootOutcome> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /**
   * Called when an application creates its providers.
   *
   * @returns lets go of the load: the last application to do so closes it
   * @throws VaultClosedError
   */
  take(): { readonly outcome: BootOutcome; readonly release: () => Promise<void> } {
    const { outcome } = this;
    this.#applications += 1;
    this.#scans = Math.max(0, this.#scans - 1);
    clearTimeout(this.#unused);
    let isReleased = false;
    return {
      outcome,
      release: async () => {
        if (isReleased) return;
        isReleased = true;
        this.#applications -= 1;
        if (this.#applications > 0) return;
        if (this.#scans > 0) this.#closeLater();
        else await this.#close();
      },
    };
  }

  async #open(): Promise<BootOutcome> {
    try {
      const outcome = await this.#start();
      const keys = keysOf(outcome);
      this.#keys ??= keys;
      // Nest has the core module already, and it would provide something else.
      if (keys !== this.#keys) throw await outcome.close().then(closedError);
      this.#outcome = outcome;
    } catch (error) {
      this.#isForgotten = true;
      this.#opening = undefined;
      throw error;
    }
    this.#scans = Math.max(1, this.#scans);
    this.#readsPendingUntil = performance.now() + PENDING_READ_TIMEOUT_MS;
    this.#closeLater();
    return this.#outcome;
  }

  #closeLater(): void {
    this.#unused = setTimeout(() => {
      this.#scans = 0;
      void this.#close();
    }, UNUSED_LOAD_TIMEOUT_MS).unref();
  }

  async #close(): Promise<void> {
    const closed = this.#outcome;
    this.#outcome = undefined;
    this.#opening = undefined;
    await closed?.close();
  }
}

function keysOf({ plan: { namespaces }, factoryValues }: BootOutcome): string {
  return JSON.stringify([...namespaces, ...factoryValues].map(({ KEY }) => KEY));
}

function closedError(): VaultClosedError {
  return new VaultClosedError(
    'The Vault session was closed by another application that uses the same module while this one was booting. Boot again.',
  );
}

/**
 * A promise that starts its work when it is first consumed, and asks again at every consumption.
 *
 * Nest's scanner awaits promises in `imports` before it creates any provider, which is the moment wanted: merely
 * importing the file that declares the module must start nothing. As nothing runs before the first
 * listener, there is never an unhandled rejection.
 */
class LazyPromise<T> extends Promise<T> {
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
