import { isVaultError, VaultConfigurationError } from '../errors/index.js';

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 15_000;

/**
 * Tries to reach Vault again until it succeeds once: at first after a second, then at growing distances up to 15 s, each
 * a quarter longer or shorter at random, so that a fleet that booted together does not come back together. Its timer
 * keeps no process alive.
 * @internal
 */
export class SnapshotRecovery {
  readonly #attempt: (signal: AbortSignal) => Promise<void>;
  readonly #warn: (message: string) => void;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #told: string | undefined;

  /**
   * @param attempt logs in, reads everything and changes over to it
   * @param warn is told why an attempt has failed, once for each reason
   */
  constructor(attempt: (signal: AbortSignal) => Promise<void>, warn: (message: string) => void) {
    this.#attempt = attempt;
    this.#warn = warn;
    this.#schedule(FIRST_DELAY_MS);
  }

  /** Ends it: the attempt under way is given up, and waited for. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#closing.abort();
    await this.#running;
  }

  #schedule(delayMs: number): void {
    const jittered = delayMs * (0.75 + Math.random() / 2);
    this.#timer = setTimeout(() => {
      this.#running = this.#try(delayMs);
    }, jittered).unref();
  }

  async #try(delayMs: number): Promise<void> {
    const { signal } = this.#closing;
    try {
      await this.#attempt(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#tell(error);
      this.#schedule(Math.min(delayMs * 1.5, LONGEST_DELAY_MS));
    }
  }

  #tell(error: unknown): void {
    const kind = kindOf(error);
    if (kind === this.#told) return;
    this.#told = kind;
    const reason = isVaultError(error) ? error.message : 'an unexpected error.';
    this.#warn(`Still running on the snapshot: ${reason}`);
  }
}

/** What is the matter, without what is different at every attempt. */
function kindOf(error: unknown): string {
  if (error instanceof VaultConfigurationError) return error.errors.map(kindOf).join();
  return isVaultError(error) ? `${error.code} ${error.path ?? ''}` : 'unknown';
}
