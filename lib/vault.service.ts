import type { client as NodeVaultClient } from 'node-vault';
import type { Observable } from 'rxjs';
import { takeUntil } from 'rxjs';
import type { VaultClient } from './client/vault-client.js';
import type { VaultDegradation } from './config/snapshot/snapshot.options.js';
import type { Load } from './boot/load.js';
import type { VaultConfigChange } from './config/refresh/changes.js';
import type { ConfigStatus } from './config/refresh/config-status.js';
import type { ConfigurationRefresher, VaultRefreshResult } from './config/refresh/refresher.js';
import type { ConfigurationStore } from './config/configuration-store.js';
import type { VaultValueOrigin } from './config/origins.js';
import type { VaultCallOptions } from './engines/engine.options.js';
import { Kv1Engine } from './engines/kv1.engine.js';
import { Kv2Engine } from './engines/kv2.engine.js';
import type { VaultLogicalOptions, VaultSecret } from './engines/logical.engine.js';
import { LogicalEngine } from './engines/logical.engine.js';
import { VaultInvalidOptionError } from './errors/index.js';
import type { VaultEvent } from './observability/vault-event.js';
import { VaultSession } from './session/vault-session.js';
import type { VaultSys } from './sys/vault-sys.js';
import type { VaultStatus } from './vault.status.js';

/**
 * Calls to Vault from a running application, over the session that the module opened at boot. Inject it anywhere.
 *
 * Every method rejects with a `VaultError` and nothing else.
 * @publicApi
 */
export class VaultService {
  readonly #client: VaultClient;
  readonly #logical: LogicalEngine;
  readonly #runtime: Pick<Load, 'degraded'>;
  readonly #store: ConfigurationStore;
  readonly #refresher: ConfigurationRefresher;
  readonly #configStatus: ConfigStatus;
  /** The session: state, accessor, policies, and a new login. */
  readonly session: VaultSession;
  /** Health, seal status, unsealing. */
  readonly sys: VaultSys;
  /**
   * Events of the session, requests and configuration, from the time of the subscription. Completes in
   * `beforeApplicationShutdown`, so that an HTTP server that streams it can close. An error thrown by a listener is
   * logged.
   */
  readonly events$: Observable<VaultEvent>;
  /**
   * Changes of the configuration, each after it has been applied: keys and versions, never values. Completes when
   * `events$` does.
   */
  readonly changes$: Observable<VaultConfigChange>;

  /**
   * @param events$ of this application
   * @param ending emits when the application begins to close
   * @internal
   */
  constructor(
    runtime: Pick<Load, 'client' | 'session' | 'sys' | 'degraded'>,
    events$: Observable<VaultEvent>,
    store: ConfigurationStore,
    refresher: ConfigurationRefresher,
    configStatus: ConfigStatus,
    ending: Observable<void>,
  ) {
    this.#configStatus = configStatus;
    this.#runtime = runtime;
    this.#client = runtime.client;
    this.#logical = new LogicalEngine(runtime.client);
    this.session = new VaultSession(runtime.session);
    this.sys = runtime.sys;
    this.events$ = events$.pipe(takeUntil(ending));
    this.changes$ = store.changes$.pipe(takeUntil(ending));
    this.#store = store;
    this.#refresher = refresher;
  }

  /** The KV v2 engine at a mount. @throws VaultInvalidPathError */
  kv(mountPath = 'secret'): Kv2Engine {
    return new Kv2Engine(this.#client, mountPath);
  }

  /** The KV v1 engine at a mount. @throws VaultInvalidPathError */
  kv1(mountPath: string): Kv1Engine {
    return new Kv1Engine(this.#client, mountPath);
  }

  /** Reads any path, as you would pass it to `bao read`. @throws VaultNotFoundError when nothing is there */
  read<T = Record<string, unknown>>(path: string, options?: VaultLogicalOptions): Promise<VaultSecret<T>> {
    return this.#logical.read<T>(path, options);
  }

  /** Writes to any path, and returns the response. */
  write<T = Record<string, unknown>>(
    path: string,
    data?: object,
    options?: VaultLogicalOptions,
  ): Promise<VaultSecret<T>> {
    return this.#logical.write<T>(path, data, options);
  }

  /** Lists the names below any path. The list is empty if there are none. */
  list(path: string, options?: VaultCallOptions): Promise<string[]> {
    return this.#logical.list(path, options);
  }

  /** Deletes any path. */
  delete(path: string, options?: VaultCallOptions): Promise<void> {
    return this.#logical.delete(path, options);
  }

  /**
   * Reads every source again and applies new values in one step. If something cannot be read or does not match its
   * schema, the last good values stay, and the result names it.
   * @throws VaultClosedError after the application was closed, VaultDisabledError with `enabled: false`
   */
  refresh(): Promise<VaultRefreshResult> {
    const { disabled } = this.#store.loader.plan;
    if (disabled) return Promise.reject(disabled('refresh the configuration'));
    return this.#refresher.refresh();
  }

  /**
   * Returns where a configuration value came from, never the value. For a part of a value (`tls.ca`, if a secret has
   * an object `tls`) it describes the whole (`tls`).
   * @returns `undefined` when it is not from Vault, and for a container of values: `origins('database')` has those
   * @throws VaultInvalidOptionError when the key is not a string
   */
  explain(key: string): VaultValueOrigin | undefined {
    checkKey(key);
    return this.#store.explain(key);
  }

  /**
   * Returns where the configuration values from Vault came from, in ascending precedence.
   * @param key only the value of this name, and everything below it; default: all there are
   * @throws VaultInvalidOptionError when the key is not a string
   */
  origins(key?: string): VaultValueOrigin[] {
    if (key !== undefined) checkKey(key);
    return this.#store.origins(key);
  }

  /** Set while the application runs on a snapshot, because Vault was unavailable at boot. */
  get degraded(): VaultDegradation | undefined {
    return this.#runtime.degraded;
  }

  /**
   * The state of session, servers and configuration at this moment, as frozen plain data without secrets. Health checks, logs and
   * metrics can be derived from it; `events$` has its changes.
   */
  get status(): VaultStatus {
    return freeze({
      session: this.session.status,
      endpoints: this.#client.endpointStatus,
      configuration: this.#configStatus.at(this.#runtime.degraded),
    });
  }

  /**
   * The node-vault client over this session and transport, for calls that this class has no method for. It cannot
   * change the session: a login through it returns a token and has no other effect.
   */
  get client(): NodeVaultClient {
    return this.#client.nodeVault;
  }
}

function checkKey(key: unknown): void {
  if (typeof key !== 'string')
    throw new VaultInvalidOptionError('A key of the configuration is a text, such as "database.password".');
}

/** A frozen copy of plain data: dates and lists are copies for the receiver. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return new Date(value) as T;
  if (Array.isArray(value)) return Object.freeze(value.map(freeze)) as T;
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, freeze(inner as unknown)])),
  ) as T;
}
