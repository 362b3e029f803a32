import { setTimeout as delay } from 'node:timers/promises';
import { isVaultError, VaultConfigurationError } from '../errors/index.js';
import type { VaultError } from '../errors/index.js';
import type { BootLog } from './boot-log.js';
import { isUnreachable } from './unreachable.js';

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
