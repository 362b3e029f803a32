import type { VaultError } from '../../errors/index.js';
import { isVaultError, VaultClosedError, VaultInvalidOptionError } from '../../errors/index.js';
import { failureKind } from '../../errors/redact.js';
import type { VaultConfigChange } from './changes.js';
import { backoffMs } from '../../lifetime/backoff.js';
import { systemClock } from '../../lifetime/clock.js';
import type { ConfigurationStore } from '../configuration-store.js';
import { addressText, isAbsent, isSameSecret, newerRead, SecretReads } from '../sources/read-secrets.js';
import type { VaultRefreshOptions } from './refresh.options.js';
import { REFRESH_INTERVAL_MS } from './refresh.options.js';
import type { PendingValues } from './kept-values.js';
import { newlyPending } from './kept-values.js';
import { warnAboutUnknownKeys } from './config-status.js';
import { Logger } from '@nestjs/common';

/** Rounds come up to a fifth early, so that instances that started together drift apart. */
const JITTER = [1, 0.8] as const;
/** After failures the interval doubles, up to this many times its length. */
const MAX_INTERVAL_FACTOR = 8;

/**
 * Result of a refresh. It never contains a value.
 * @publicApi
 */
export interface VaultRefreshResult {
  /** The change; `undefined` if nothing has changed. */
  readonly change: VaultConfigChange | undefined;
  /** Sources that could not be read, and new values that were rejected. The last good values stay. */
  readonly problems: readonly VaultError[];
  /**
   * Keys whose new value in Vault was not applied because of `config.refresh.keys` or `refresh: false` of a source.
   * Each new value is reported once. Missing if there are none.
   */
  readonly notRefreshed?: readonly string[];
}

/**
 * Keeps the configuration of an application current: reads every source again, and applies what is new as one step. What
 * cannot be read, or does not fit its schema, leaves the last good values in place.
 * @internal
 */
export class ConfigurationRefresher {
  readonly #store: ConfigurationStore;
  readonly #options: VaultRefreshOptions | undefined;
  readonly #report: (result: VaultRefreshResult) => void;
  #running: Promise<VaultRefreshResult> | undefined;
  #next: Promise<VaultRefreshResult> | undefined;
  #cancelTimer: (() => void) | undefined;
  #failures = 0;
  #reported: PendingValues = new Map();
  #closed = false;
  readonly #ending = new AbortController();
  readonly #onSighup: () => void;
  /** Ends the rounds. It does not keep the refresher, and what hangs on it, in memory. */
  readonly stop: () => void;

  /** @param report called after each round; its errors are its own business */
  constructor(
    store: ConfigurationStore,
    options: VaultRefreshOptions | undefined,
    report: (result: VaultRefreshResult) => void,
  ) {
    this.#store = store;
    this.#options = options;
    this.#report = report;
    const self = new WeakRef(this);
    const onSighup = () => {
      const refresher = self.deref();
      if (refresher) refresher.#hangUp();
    };
    this.#onSighup = onSighup;
    this.stop = () => process.removeListener('SIGHUP', onSighup);
  }

  /** Begins the rounds, when there is an interval. */
  start(): void {
    if (this.#closed || !this.#options) return;
    const { keys, sighup } = this.#options;
    if (keys) warnAboutUnknownKeys(keys, this.#store.loaded.tree);
    if (sighup) {
      process.on('SIGHUP', this.#onSighup);
      warnAboutShutdownHooks();
    }
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.stop();
    this.#ending.abort();
  }

  /**
   * Reads everything that is written by the time of the call. Callers that ask while a refresh is under way share the one
   * after it: the one under way may have read already.
   *
   * @throws VaultClosedError after `close()`; nothing else: problems are part of the result
   */
  refresh(): Promise<VaultRefreshResult> {
    if (this.#closed) {
      return Promise.reject(new VaultClosedError('Cannot refresh the configuration: the application is closed.'));
    }
    if (!this.#running) {
      return this.#exclusively(() =>
        this.#store.loader.read({ signal: this.#ending.signal, before: this.#store.loaded }),
      );
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.refresh();
      });
    return this.#next;
  }

  /** Applies what another component has read. @throws VaultClosedError after `close()` */
  async adopt(found: SecretReads): Promise<VaultRefreshResult> {
    while (this.#running) await this.#running.catch(() => undefined);
    return this.#exclusively(() => Promise.resolve(found));
  }

  #exclusively(read: () => Promise<SecretReads>): Promise<VaultRefreshResult> {
    const run = async (): Promise<VaultRefreshResult> => {
      const result = await this.#apply(await read());
      if (this.#closed) throw new VaultClosedError('Cannot refresh the configuration: the application is closed.');
      const { pending } = this.#store.loaded;
      const notRefreshed = newlyPending(this.#reported, pending);
      this.#reported = pending;
      const whole = notRefreshed.length > 0 ? { ...result, notRefreshed } : result;
      this.#report(whole);
      return whole;
    };
    this.#running = run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #apply(found: SecretReads): Promise<VaultRefreshResult> {
    let problems: VaultError[] = [];
    try {
      const change = await this.#store.replace(async (present) => {
        problems = [];
        const reads = this.#mergeReads(present.reads, found, problems);
        if (this.#closed || sameReads(present.reads, reads)) return undefined;
        const limits = { signal: this.#ending.signal, before: present };
        return { next: await this.#store.loader.assemble(reads, limits) };
      });
      return { change, problems };
    } catch (error) {
      return { change: undefined, problems: [...problems, isVaultError(error) ? error : unexpected(error)] };
    }
  }

  /** The new reads, with the present ones where nothing is new or the new one failed. @param problems gets the failures */
  #mergeReads(present: SecretReads, found: SecretReads, problems: VaultError[]): SecretReads {
    const reads = new SecretReads();
    const sources = this.#store.loader.plan.layers.flatMap((layer) => layer.sources);
    // An optional secret may come and go; the absence of any other one is a problem.
    const required = new Set(sources.filter(({ optional }) => !optional).map(addressText));
    for (const [address, read] of found) {
      const old = present.get(address);
      const wasNeverThere = !required.has(addressText(address)) && !old?.secret && isAbsent(read);
      if (!read.secret && !wasNeverThere) problems.push(read.error);
      reads.set(address, old && read.secret && isSameSecret(old.secret, read.secret) ? old : newerRead(old, read));
    }
    // Of a namespace that was added after the reading had begun.
    for (const source of sources) {
      const known = present.get(source);
      if (known && !reads.has(source)) reads.set(source, known);
    }
    return reads;
  }

  #schedule(): void {
    if (this.#closed) return;
    // Signals may have come while a round was under way: each of them ends here, and there must be one timer.
    this.#cancelTimer?.();
    const firstMs = this.#options?.intervalMs ?? REFRESH_INTERVAL_MS;
    const interval = { firstMs, maxMs: firstMs * MAX_INTERVAL_FACTOR, jitter: JITTER };
    // An application that failed to come up must not be kept in memory by its rounds.
    const self = new WeakRef(this);
    this.#cancelTimer = systemClock.setTimer(backoffMs(this.#failures + 1, interval), () => {
      const refresher = self.deref();
      if (refresher) void refresher.#round();
    });
  }

  #hangUp(): void {
    // Shutdown hooks may have come after the start.
    warnAboutShutdownHooks();
    void this.#round();
  }

  async #round(): Promise<void> {
    this.#cancelTimer?.();
    const result = await this.refresh().catch(() => undefined);
    const failed = result === undefined || result.problems.some((problem) => problem.retryable);
    this.#failures = failed ? this.#failures + 1 : 0;
    this.#schedule();
  }
}

/** What the application's own objects throw, such as those a schema makes. The message may quote a value. */
function unexpected(error: unknown): VaultError {
  return new VaultInvalidOptionError(
    `The new configuration could not be put together (${failureKind(error)}). Look at the factories in "config.load", at "config.schema" and at the schemas of configuration namespaces.`,
  );
}

function sameReads(before: SecretReads, after: SecretReads): boolean {
  for (const [address, read] of after) {
    const old = before.get(address);
    if (old !== read && (read.secret || old?.secret)) return false;
  }
  return true;
}

const logger = new Logger('VaultModule');

/** How the listener of Nest 10 to 12 is called; a test pins it. */
const NEST_LISTENER = 'cleanup';

/**
 * Warns when Nest is told to end the application on SIGHUP, which `enableShutdownHooks()` without a list of signals does:
 * a user of that signal for a refresh would not expect it.
 * @internal
 */
export function warnAboutShutdownHooks(): void {
  if (!process.listeners('SIGHUP').some(({ name }) => name === NEST_LISTENER)) return;
  logger.warn(
    "\"config.refresh.sighup\": SIGHUP ends the application, because enableShutdownHooks() takes every signal. Name those that shall end it: enableShutdownHooks(['SIGTERM', 'SIGINT']).",
  );
}
