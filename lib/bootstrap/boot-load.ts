import type { LoadedConfiguration } from '../config/configuration.js';
import type { VaultError } from '../errors/index.js';
import { VaultTimeoutError } from '../errors/index.js';
import { withDeadline } from './deadline.js';
import { Obstacles } from './obstacles.js';
import { waitForVault } from './wait-for-vault.js';
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
