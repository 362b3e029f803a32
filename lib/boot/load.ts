import type { VaultClient } from '../client/vault-client.js';
import type { ConfigPlan } from '../config/plan.js';
import type { ConfigurationLoader } from '../config/configuration-loader.js';
import { ConfigurationStore } from '../config/configuration-store.js';
import type { ConfigOutputs } from '../config/outputs.js';
import type { FactoryValues } from '../config/sources/factories.js';
import type { SecretReads } from '../config/sources/read-secrets.js';
import type { Configuration } from '../config/configuration.js';
import type { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import type { VaultDegradation } from '../config/snapshot/snapshot.options.js';
import type { VaultError } from '../errors/index.js';
import type { EventHub } from '../observability/event-hub.js';
import type { SessionManager } from '../session/session-manager.js';
import type { VaultSys } from '../sys/vault-sys.js';
import type { Connection } from './connection.js';
import { disconnect } from './connection.js';
import type { StartConfiguration } from './snapshot-fallback.js';
import { SnapshotRecovery } from './snapshot-recovery.js';

/** What changes over when Vault is back. @internal */
export interface RecoveringApplication {
  /** Why it must not change over to these values. */
  refusalOf(loaded: Configuration): VaultError | undefined;
  adopt(reads: SecretReads): void;
}

/**
 * What one boot has made: a session, and the configuration read with it. Applications live on it.
 * @internal
 */
export class Load {
  readonly #load: (signal?: AbortSignal) => Promise<Configuration>;
  readonly session: SessionManager;
  readonly client: VaultClient;
  readonly sys: VaultSys;
  readonly events: EventHub;
  readonly #connection: Connection;
  readonly #outputs: ConfigOutputs;
  readonly #snapshot: ConfigSnapshot | undefined;
  #configuration: Configuration;
  #degraded: VaultDegradation | undefined;
  #recovery: SnapshotRecovery | undefined;
  #closing: Promise<void> | undefined;
  #disconnecting: Promise<void> | undefined;
  #first: ConfigurationStore | undefined;
  readonly #applications = new Set<RecoveringApplication>();
  #loadedAt: Date;

  constructor(
    { loaded, takenAt, cause }: StartConfiguration,
    load: (signal?: AbortSignal) => Promise<Configuration>,
    readonly loader: ConfigurationLoader,
    outputs: ConfigOutputs,
    connection: Connection,
    snapshot?: ConfigSnapshot,
  ) {
    this.#connection = connection;
    ({ session: this.session, client: this.client, sys: this.sys, events: this.events } = connection);
    this.#load = load;
    this.#outputs = outputs;
    this.#snapshot = snapshot;
    this.#configuration = loaded;
    this.#loadedAt = takenAt ?? new Date();
    this.#degraded = takenAt && { since: new Date(), snapshotTakenAt: takenAt, reason: cause?.message ?? '' };
    // Made before any provider asks, so that a namespace called as a factory finds the objects its application will have.
    this.#first = this.#makeStore();
    for (const namespace of this.plan.namespaces) this.#first.show(namespace);
  }

  /** The configuration for one more application. */
  takeStore(): ConfigurationStore {
    const store = this.#first ?? this.#makeStore();
    this.#first = undefined;
    return store;
  }

  /**
   * Has an application change over when Vault is back after a start on a snapshot, at once when it is already.
   *
   * @returns ends that
   */
  onRecovered(application: RecoveringApplication): () => void {
    this.#applications.add(application);
    if (this.#recovery && !this.#degraded) application.adopt(this.#configuration.reads);
    return () => this.#applications.delete(application);
  }

  /** Notes what was read last, for a later start without Vault; `isWhole` when nothing of it is older. */
  saveSnapshot(reads: SecretReads, isWhole = true): void {
    void this.#snapshot?.save(reads, isWhole);
  }

  get plan(): ConfigPlan {
    return this.loader.plan;
  }

  /** Values of `config.load`. */
  get factoryValues(): readonly FactoryValues[] {
    return this.loader.factories.results ?? [];
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  /** When the configuration was read from Vault, also that of a snapshot. */
  get loadedAt(): Date {
    return this.#loadedAt;
  }

  /** Set while the configuration is a snapshot's. */
  get degraded(): VaultDegradation | undefined {
    return this.#degraded;
  }

  /** A fresh object with the values as they are now. */
  values(): Record<string, unknown> {
    return this.#configuration.written.toObject();
  }

  /**
   * Reads everything again and changes over to it as a whole, the snapshot too. Nothing has changed when it throws.
   *
   * @throws VaultConfigurationError, also when an application refuses the values; and what a boot throws without a
   *   session
   */
  async reload(signal?: AbortSignal): Promise<void> {
    const loaded = await this.#load(signal);
    const refusal = this.#refusalOf(loaded);
    if (refusal) throw refusal;
    const recovered = this.#degraded !== undefined;
    this.#configuration = loaded;
    this.#loadedAt = new Date();
    this.#degraded = undefined;
    this.saveSnapshot(loaded.reads);
    if (!recovered) return;
    for (const application of this.#applications) application.adopt(loaded.reads);
    this.events.emit({ type: 'snapshot-left', at: new Date(), file: this.#snapshot?.file ?? '', reason: undefined });
  }

  /** Goes on trying to reach Vault until that has worked once. */
  recover(): void {
    this.#recovery = new SnapshotRecovery(
      (signal) => this.reload(signal),
      (reason) =>
        this.events.emit({ type: 'snapshot-problem', at: new Date(), file: this.#snapshot?.file ?? '', reason }),
    );
  }

  /** An application is up on it: from now on the session looks after itself. */
  start(): void {
    this.session.start();
    // What has failed was none of this application's namespaces, or it would not be up.
    if (!this.#degraded && this.#configuration.failedFeatures.size > 0) this.saveSnapshot(this.#configuration.reads);
  }

  /** Writes the files of what was read last; those that have not changed stay as they are. */
  writeFiles(): Promise<void> {
    return this.#outputs.write(this.#configuration);
  }

  /** Gives the token back and closes every connection; the files stay. Never throws. */
  disconnect(): Promise<void> {
    this.#disconnecting ??= this.#disconnect();
    return this.#disconnecting;
  }

  /** Removes the files, gives the token back and closes every connection; a snapshot that is being written is written to its end. Never throws. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#recovery?.close();
    await this.#outputs.close();
    await this.disconnect();
    this.events.complete();
  }

  async #disconnect(): Promise<void> {
    await this.#recovery?.close();
    await disconnect(this.#connection);
    await this.#snapshot?.settled();
  }

  /** As long as no application is up, each of the namespaces may be one of its own. */
  #refusalOf(loaded: Configuration): VaultError | undefined {
    if (this.#applications.size === 0) return [...loaded.failedFeatures.values()][0];
    return [...this.#applications].map((application) => application.refusalOf(loaded)).find((error) => error);
  }

  #makeStore(): ConfigurationStore {
    return new ConfigurationStore(this.loader.forApplication(), this.#configuration, this.#outputs);
  }
}
