import { setTimeout as delay } from 'node:timers/promises';
import type { LoadedConfiguration } from '../config/configuration.js';
import type { VaultError } from '../errors/index.js';
import { isVaultError, VaultConfigurationError, VaultTimeoutError } from '../errors/index.js';
import { isUnreachable, Obstacles, withDeadline } from './boot-diagnostics.js';
import type { BootLog } from './boot-summary.js';
import { withLine } from './with-line.js';

type BootWork = (limit: AbortSignal, obstacles: Obstacles) => Promise<LoadedConfiguration>;

/**
 * Loads the configuration within the deadline of the boot, as often as it is asked to.
 * @internal
 */
export class BootLoad {
  readonly #work: BootWork;
  readonly #timeoutMs: number;
  readonly #endpoint: () => string;
  #obstacles: Obstacles | undefined;
  #refusals: readonly VaultError[] = [];
  #outage: VaultError | undefined;

  constructor(work: BootWork, timeoutMs: number, endpoint: () => string) {
    this.#work = work;
    this.#timeoutMs = timeoutMs;
    this.#endpoint = endpoint;
  }

  /** What had failed for good, such as a denied secret, when the last load was given up. Waiting would not have helped. */
  get refusals(): readonly VaultError[] {
    return this.#refusals;
  }

  /** Whether an attempt has failed because Vault is away, and the load goes on. */
  get waiting(): boolean {
    return this.#outage !== undefined;
  }

  /** A try has failed, and its call goes on. */
  note(error: VaultError): void {
    this.#obstacles?.note(error);
  }

  /**
   * Loads, and waits for a Vault that is only starting, until the deadline.
   *
   * @param onOutage called after each attempt that failed because Vault is away
   * @throws what `run` throws; when the deadline has come, the last failure because of which it waited
   */
  async wait(onOutage: (error: VaultError) => void, signal?: AbortSignal): Promise<LoadedConfiguration> {
    this.#outage = undefined;
    const onFailure = (error: VaultError): void => {
      this.#outage = error;
      onOutage(error);
    };
    try {
      return await this.#within(
        (limit, obstacles) => waitForVault(() => this.#work(limit, obstacles), limit, onFailure),
        signal,
      );
    } catch (error) {
      const isOver = error instanceof VaultTimeoutError && error.operation === 'boot';
      if (!isOver || !this.#outage || this.#refusals.length > 0) throw error;
      throw withLine(
        this.#outage,
        `The boot has waited ${this.#timeoutMs} ms for that to change ("boot.timeoutMs").`,
        ' ',
      );
    } finally {
      this.#outage = undefined;
    }
  }

  /** One attempt. @throws what the work throws, VaultTimeoutError, VaultAbortedError */
  run(signal?: AbortSignal): Promise<LoadedConfiguration> {
    return this.#within(this.#work, signal);
  }

  async #within(work: BootWork, signal: AbortSignal | undefined): Promise<LoadedConfiguration> {
    const obstacles = (this.#obstacles = new Obstacles());
    this.#refusals = [];
    try {
      return await withDeadline(
        this.#timeoutMs,
        this.#endpoint(),
        (limit) => work(limit, obstacles),
        (last) => {
          this.#refusals = obstacles.refusals(last);
          return obstacles.describe(last);
        },
        signal,
      );
    } finally {
      this.#obstacles = undefined;
    }
  }
}

const MIN_DELAY_MS = 250;
const MAX_DELAY_MS = 2_000;
/** The second line of progress comes so much later than the first, and each other one twice as late as that before it. */
const MIN_SILENCE_MS = 10_000;

/**
 * Repeats the work of a boot while Vault is only starting: nothing listens there, its name is not known yet, it is sealed, or
 * its cluster has no leader.
 *
 * @param limit ends the wait at once
 * @param onOutage called after each attempt that failed so
 * @throws what an attempt fails with that waiting does not help; the last failure once `limit` has ended
 * @internal
 */
export async function waitForVault<T>(
  attempt: () => Promise<T>,
  limit: AbortSignal,
  onOutage: (error: VaultError) => void,
): Promise<T> {
  for (let delayMs = MIN_DELAY_MS; ; delayMs = Math.min(delayMs * 2, MAX_DELAY_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (limit.aborted || !isPassing(error)) throw error;
      onOutage(error);
      // Instances that are started together do not come back together.
      await delay(delayMs * (0.75 + Math.random() / 2), undefined, { signal: limit }).catch(() => {
        throw error;
      });
    }
  }
}

/** Whether a failure may pass by itself while a server starts. A server that fails inside, or refuses, does not. */
function isPassing(error: unknown): error is VaultError {
  if (!isUnreachable(error)) return false;
  if (error instanceof VaultConfigurationError) return error.errors.every(isPassing);
  return error.statusCode !== 500 || error.reason === 'no-leader';
}

/** Logs that a boot waits: at once, and then at growing intervals. @internal */
export class WaitProgress {
  #silentUntil = 0;
  #silenceMs = MIN_SILENCE_MS;
  readonly #log: Pick<BootLog, 'warn'>;
  readonly #timeoutMs: number;

  constructor(log: Pick<BootLog, 'warn'>, timeoutMs: number) {
    this.#log = log;
    this.#timeoutMs = timeoutMs;
  }

  tell(error: VaultError): void {
    const now = performance.now();
    if (now < this.#silentUntil) return;
    if (this.#silentUntil > 0) this.#silenceMs *= 2;
    this.#silentUntil = now + this.#silenceMs;
    this.#log.warn(
      `${firstOf(error).message} The boot waits up to ${this.#timeoutMs} ms for Vault ("boot.timeoutMs").`,
    );
  }
}

function firstOf(error: VaultError): VaultError {
  const [first] = error instanceof VaultConfigurationError ? error.errors : [];
  return isVaultError(first) ? first : error;
}
