import type { VaultSession } from '../auth/session.js';
import type { VaultClient } from '../client/vault-client.js';
import type { LoadedConfiguration } from '../config/configuration.js';
import type { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import type { VaultDegradation } from '../config/snapshot/degradation.js';
import type { VaultSys } from '../sys/vault-sys.js';
import { VaultService } from '../vault.service.js';
import type { StartConfiguration } from './snapshot-fallback.js';
import { SnapshotRecovery } from './snapshot-recovery.js';

/**
 * What one boot has made: a session, the configuration read with it, and the service over both.
 * @internal
 */
export class VaultRuntime {
  readonly service: VaultService;
  readonly #session: VaultSession;
  readonly #client: VaultClient;
  readonly #snapshot: ConfigSnapshot | undefined;
  #configuration: LoadedConfiguration;
  #degraded: VaultDegradation | undefined;
  #recovery: SnapshotRecovery | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    { loaded, takenAt, because }: StartConfiguration,
    session: VaultSession,
    client: VaultClient,
    sys: VaultSys,
    snapshot: ConfigSnapshot | undefined,
  ) {
    this.#session = session;
    this.#client = client;
    this.#snapshot = snapshot;
    this.#configuration = loaded;
    this.#degraded = takenAt && { since: new Date(), snapshotTakenAt: takenAt, because: because?.message ?? '' };
    this.service = new VaultService(client, session, sys, this);
  }

  get configuration(): LoadedConfiguration {
    return this.#configuration;
  }

  /** Set while the configuration is a snapshot's. */
  get degraded(): VaultDegradation | undefined {
    return this.#degraded;
  }

  /** Goes on trying to reach Vault, and changes over to what is read then. */
  recoverWith(load: (signal: AbortSignal) => Promise<LoadedConfiguration>, log: Pick<Console, 'log' | 'warn'>): void {
    this.#recovery = new SnapshotRecovery(
      load,
      (loaded) => {
        this.#configuration = loaded;
        this.#degraded = undefined;
        void this.#snapshot?.save(loaded.reads);
        log.log('Vault is back: the configuration is current again.');
      },
      (message) => log.warn(message),
    );
  }

  /** Gives the token back and closes every connection; a snapshot that is being written is written to its end. Never throws. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#recovery?.close();
    await this.#session.close();
    await this.#client.close();
    await this.#snapshot?.settled();
  }
}
