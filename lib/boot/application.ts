import type { Subscription } from 'rxjs';
import { ReplaySubject } from 'rxjs';
import { ConfigurationRefresher } from '../config/refresh/refresher.js';
import type { ConfigurationStore } from '../config/configuration-store.js';
import { ConfigStatus } from '../config/refresh/config-status.js';
import { EventHub } from '../observability/event-hub.js';
import { VaultService } from '../vault.service.js';
import type { Load } from './load.js';

/**
 * One application on a runtime: its own copy of the configuration, kept current, and the service over it all.
 * @internal
 */
export class Application {
  /** What has come up stays in memory, also when its container does not. */
  static readonly #up = new Set<Application>();
  /** Keeps the hub of a service for as long as the service is in use. */
  static readonly #hubs = new WeakMap<VaultService, EventHub>();
  readonly store: ConfigurationStore;
  readonly service: VaultService;
  readonly #refresher: ConfigurationRefresher;
  readonly #runtime: Load;
  #ignoreRecovery: (() => void) | undefined;
  // Replayed, so that a stream subscribed to later ends at once.
  readonly #ending = new ReplaySubject<void>(1);
  readonly #release: () => Promise<void>;
  /** Releases everything. It does not keep the application in memory, so that it can be called when that has gone. */
  readonly abandon: () => Promise<void>;

  constructor(runtime: Load, release: () => Promise<void>) {
    const { loadedAt, degraded, plan } = runtime;
    const status = new ConfigStatus(
      (event) => runtime.events.emit(event),
      loadedAt,
      degraded || plan.disabled ? undefined : loadedAt,
    );
    this.#runtime = runtime;
    this.#release = release;
    this.store = runtime.takeStore();
    this.#refresher = new ConfigurationRefresher(this.store, plan.refresh, (result) => {
      status.refreshed(result);
      // Also when all was read and nothing has changed: it is as current as it was then.
      const isWhole = result.problems.length === 0;
      if (result.change || isWhole) runtime.saveSnapshot(this.store.reads, isWhole);
    });
    const events = new EventHub();
    const forwarding = forward(runtime.events, new WeakRef(events));
    this.service = new VaultService(runtime, events.events$, this.store, this.#refresher, status, this.#ending);
    this.abandon = releasing(this.#refresher.stop, forwarding, release);
    Application.#hubs.set(this.service, events);
  }

  /** Once all providers of the application are there: one whose boot failed has no work that goes on. */
  start(): void {
    this.#runtime.start();
    this.store.start();
    this.#refresher.start();
  }

  /** Once all hooks have run, those of the root module too: from now on it ends when it is closed and at no other time. */
  up(): void {
    Application.#up.add(this);
    this.#ignoreRecovery = this.#runtime.onRecovered({
      refusalOf: (loaded) => this.store.refusalOf(loaded),
      adopt: (reads) => void this.#refresher.adopt(reads).catch(() => undefined),
    });
  }

  /** Completes the streams of the service: a server that sends them to clients cannot close before. The rest keeps running. */
  endStreams(): void {
    this.#ending.next();
  }

  async close(): Promise<void> {
    Application.#up.delete(this);
    this.endStreams();
    this.#ignoreRecovery?.();
    this.#refresher.close();
    this.store.close();
    await this.#release();
  }
}

/** Passes events on for as long as the hub is referenced elsewhere. */
function forward(from: EventHub, to: WeakRef<EventHub>): Subscription {
  return from.events$.subscribe({
    next: (event) => to.deref()?.emit(event),
    complete: () => to.deref()?.complete(),
  });
}

function releasing(stop: () => void, forwarding: Subscription, release: () => Promise<void>): () => Promise<void> {
  return () => {
    stop();
    forwarding.unsubscribe();
    return release();
  };
}
