import type { Configuration } from '../config/configuration.js';
import type { VaultError } from '../errors/index.js';
import { isVaultError, VaultAbortedError, VaultConfigurationError, VaultTimeoutError } from '../errors/index.js';
import { Backoff } from '../lifetime/backoff.js';
import { ABORTED, race, sleep, TIMED_OUT } from '../lifetime/race.js';
import { BootDiagnostics, isUnreachable } from './boot-diagnostics.js';
import type { Log } from '../observability/log-events.js';

/** How long an aborted attempt may take to end, so that its failures are known. */
const ABORT_GRACE_MS = 100;
/** Instances that are started together do not try again together. */
const RETRY_BACKOFF = { firstMs: 250, maxMs: 2_000, jitter: [0.75, 1.25] } as const;
/** After this time a boot that waits logs a second line; then after twice as long each. */
const FIRST_PROGRESS_INTERVAL_MS = 10_000;

type Attempt = (limit: AbortSignal, diagnostics: BootDiagnostics) => Promise<Configuration>;

/**
 * Makes attempts to load the configuration, within the deadline of the boot.
 * @internal
 */
export class BootAttempts {
  readonly #attempt: Attempt;
  readonly #timeoutMs: number;
  readonly #endpoint: () => string;
  #diagnostics: BootDiagnostics | undefined;
  #permanentFailures: readonly VaultError[] = [];
  #outage: VaultError | undefined;

  constructor(attempt: Attempt, timeoutMs: number, endpoint: () => string) {
    this.#attempt = attempt;
    this.#timeoutMs = timeoutMs;
    this.#endpoint = endpoint;
  }

  /** What had failed for a reason that waiting does not change when the last attempt was aborted. */
  get permanentFailures(): readonly VaultError[] {
    return this.#permanentFailures;
  }

  /** Whether an attempt has failed because Vault is away, and others follow. */
  get isWaiting(): boolean {
    return this.#outage !== undefined;
  }

  /** An attempt of a request has failed, and the request goes on. */
  requestFailed(error: VaultError): void {
    this.#diagnostics?.attemptFailed(error);
  }

  /**
   * Makes attempts for as long as Vault is only starting, until the deadline.
   *
   * @param onOutage called after each attempt that failed because Vault is away
   * @throws what `once` throws; at the deadline, the last failure because of which it waited
   */
  async untilReachable(onOutage: (error: VaultError) => void, signal?: AbortSignal): Promise<Configuration> {
    this.#outage = undefined;
    try {
      return await this.#withinDeadline(async (limit, diagnostics) => {
        for (const backoff = new Backoff(RETRY_BACKOFF); ;) {
          try {
            return await this.#attempt(limit, diagnostics);
          } catch (error) {
            if (limit.aborted || !isPassing(error)) throw error;
            this.#outage = error;
            onOutage(error);
            await sleep(backoff.next(), { signal: limit });
            if (limit.aborted) throw error;
          }
        }
      }, signal);
    } catch (error) {
      const isOver = error instanceof VaultTimeoutError && error.operation === 'boot';
      const outage = this.#outage as VaultError | undefined;
      if (!isOver || !outage || this.#permanentFailures.length > 0) throw error;
      throw outage.withAdvice({
        id: 'boot-waited',
        text: `The boot has waited ${this.#timeoutMs} ms for that to change ("boot.timeoutMs").`,
      });
    } finally {
      this.#outage = undefined;
    }
  }

  /** Makes one attempt. @throws what it fails with, VaultTimeoutError, VaultAbortedError */
  once(signal?: AbortSignal): Promise<Configuration> {
    return this.#withinDeadline(this.#attempt, signal);
  }

  /** Calls under way are aborted at the deadline, and a function that does not return is abandoned. */
  async #withinDeadline(work: Attempt, signal: AbortSignal | undefined): Promise<Configuration> {
    const endpoint = this.#endpoint();
    const limit = new AbortController();
    if (signal?.aborted) limit.abort();
    const diagnostics = (this.#diagnostics = new BootDiagnostics());
    this.#permanentFailures = [];
    try {
      const working = work(limit.signal, diagnostics);
      const first = await race(working, { timeoutMs: this.#timeoutMs, signal });
      if (first !== TIMED_OUT && first !== ABORTED) return first;
      limit.abort();
      const settled = working.then(
        (result) => ({ result }),
        (error: unknown) => ({ error }),
      );
      const last = await race(settled, { timeoutMs: ABORT_GRACE_MS });
      const aborted = typeof last === 'symbol' ? undefined : last;
      this.#permanentFailures = diagnostics.permanentFailures(aborted);
      const explanation = diagnostics.explain(aborted);
      const details = { endpoint, operation: 'boot' };
      if (signal?.aborted) throw new VaultAbortedError(`${endpoint} is waited for no longer. ${explanation}`, details);
      throw new VaultTimeoutError(
        `The application could not be booted on ${endpoint} within ${this.#timeoutMs} ms ("boot.timeoutMs"). ${explanation}`,
        details,
      );
    } finally {
      this.#diagnostics = undefined;
    }
  }
}

/**
 * Whether a failure may be temporary while a server starts: nothing listens there, its name is not known yet, it is sealed,
 * or its cluster has no leader. A server that fails inside, or denies, does not.
 */
function isPassing(error: unknown): error is VaultError {
  if (!isUnreachable(error)) return false;
  if (error instanceof VaultConfigurationError) return error.errors.every(isPassing);
  return error.statusCode !== 500 || error.reason === 'no-leader';
}

/** Logs that a boot waits: at once, and then at growing intervals. @internal */
export class WaitProgress {
  #nextAt = 0;
  #intervalMs = FIRST_PROGRESS_INTERVAL_MS;
  readonly #log: Pick<Log, 'warn'>;
  readonly #timeoutMs: number;

  constructor(log: Pick<Log, 'warn'>, timeoutMs: number) {
    this.#log = log;
    this.#timeoutMs = timeoutMs;
  }

  /** Called after each attempt that failed because Vault is away. */
  attemptFailed(error: VaultError): void {
    const now = performance.now();
    if (now < this.#nextAt) return;
    if (this.#nextAt > 0) this.#intervalMs *= 2;
    this.#nextAt = now + this.#intervalMs;
    this.#log.warn(
      `${firstOf(error).message} The boot waits up to ${this.#timeoutMs} ms for Vault ("boot.timeoutMs").`,
    );
  }
}

function firstOf(error: VaultError): VaultError {
  const [first] = error instanceof VaultConfigurationError ? error.errors : [];
  return isVaultError(first) ? first : error;
}
