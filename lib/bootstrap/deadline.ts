import { VaultAbortedError, VaultTimeoutError } from '../errors/index.js';

/**
 * One deadline over the whole boot: calls under way are aborted, and a credential function that hangs is left behind.
 *
 * @param signal of the caller, who may give up earlier
 * @throws VaultTimeoutError, VaultAbortedError
 * @internal
 */
export async function withDeadline<T>(
  timeoutMs: number,
  endpoint: string,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  const failure = (): Error =>
    signal?.aborted
      ? new VaultAbortedError(`The boot on ${endpoint} was given up.`, { endpoint, operation: 'boot' })
      : new VaultTimeoutError(
          `The application could not be booted on ${endpoint} within ${timeoutMs} ms. Check the server's health, or raise "boot.timeoutMs".`,
          { endpoint, operation: 'boot' },
        );
  let end!: () => void;
  const ended = new Promise<never>((_, reject) => {
    end = () => {
      reject(failure());
      controller.abort();
    };
  });
  const timer = setTimeout(end, timeoutMs);
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted) end();
  try {
    return await Promise.race([work(controller.signal), ended]);
  } catch (error) {
    throw controller.signal.aborted && error instanceof VaultAbortedError ? failure() : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
}

/** Resolves with what the promise does, or with `undefined` once that time has passed. Rejects as the promise does. @internal */
export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), timeoutMs)));
  try {
    return await Promise.race([promise, passed]);
  } finally {
    clearTimeout(timer);
  }
}
