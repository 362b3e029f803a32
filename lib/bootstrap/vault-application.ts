import { ReplaySubject } from 'rxjs';
import { ConfigurationRefresher } from '../config/refresh/configuration-refresher.js';
import type { ConfigurationStore } from '../config/configuration-store.js';
import { RefreshLog } from '../config/refresh/refresh-log.js';
import { VaultService } from '../vault.service.js';
import type { VaultRuntime } from './vault-runtime.js';

/**
 * One application on a runtime: its own copy of the configuration, kept current, and the service over it all.
 * @internal
 */
export class VaultApplication {
  readonly store: ConfigurationStore;
  readonly service: VaultService;
  readonly #refresher: ConfigurationRefresher;
  readonly #runtime: VaultRuntime;
  #ignoreRecovery: (() => void) | undefined;
  // Replayed, so that a stream subscribed to later ends at once.
  readonly #ending = new ReplaySubject<void>(1);
  readonly #release: () => Promise<void>;

  constructor(runtime: VaultRuntime, release: () => Promise<void>) {
    const log = new RefreshLog((event) => runtime.events.emit(event));
    this.#runtime = runtime;
    this.#release = release;
    this.store = runtime.takeStore();
    this.#refresher = new ConfigurationRefresher(this.store, runtime.plan.refresh, (result) => {
      log.add(result);
      // Also when all was read and nothing has changed: it is as current as it was then.
      const isWhole = result.problems.length === 0;
      if (result.change || isWhole) runtime.saveSnapshot(this.store.reads, isWhole);
    });
    this.service = new VaultService(runtime, this.store, this.#refresher, this.#ending);
  }

  /** Once all providers of the application are there: one whose boot failed has no work that goes on. */
  start(): void {
    this.#runtime.start();
    this.store.start();
    this.#refresher.start();
    this.#ignoreRecovery = this.#runtime.onRecovered({
      refusalOf: (loaded) => this.store.refusalOf(loaded),
      adopt: (reads) => void this.#refresher.adopt(reads).catch(() => undefined),
    });
  }

  /** Completes the streams of the service: whoever serves them to clients cannot close before. Everything else goes on. */
  endStreams(): void {
    this.#ending.next();
  }

  async close(): Promise<void> {
    this.endStreams();
    this.#ignoreRecovery?.();
    this.#refresher.close();
    this.store.close();
    await this.#release();
  }
}
