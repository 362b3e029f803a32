import type { LoadedConfiguration } from '../config/configuration.js';
import type { VaultError } from '../errors/index.js';
import { withDeadline } from './deadline.js';
import { Obstacles } from './obstacles.js';

/**
 * Loads the configuration within the deadline of the boot, as often as it is asked to.
 * @internal
 */
export class BootLoad {
  readonly #work: (limit: AbortSignal, obstacles: Obstacles) => Promise<LoadedConfiguration>;
  readonly #timeoutMs: number;
  readonly #endpoint: () => string;
  #obstacles: Obstacles | undefined;
  #refusals: readonly VaultError[] = [];

  constructor(
    work: (limit: AbortSignal, obstacles: Obstacles) => Promise<LoadedConfiguration>,
    timeoutMs: number,
    endpoint: () => string,
  ) {
    this.#work = work;
    this.#timeoutMs = timeoutMs;
    this.#endpoint = endpoint;
  }

  /** What had failed for good, such as a denied secret, when the last load was given up. Waiting would not have helped. */
  get refusals(): readonly VaultError[] {
    return this.#refusals;
  }

  /** A try has failed, and its call goes on. */
  note(error: VaultError): void {
    this.#obstacles?.note(error);
  }

  /** @throws what the work throws, VaultTimeoutError, VaultAbortedError */
  async run(signal?: AbortSignal): Promise<LoadedConfiguration> {
    const obstacles = (this.#obstacles = new Obstacles());
    this.#refusals = [];
    try {
      return await withDeadline(
        this.#timeoutMs,
        this.#endpoint(),
        (limit) => this.#work(limit, obstacles),
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
