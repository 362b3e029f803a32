import { within } from '../client/within.js';
import { VaultAbortedError, VaultTimeoutError } from '../errors/index.js';

/** How long work that was given up may take to tell what it was about. */
const LAST_WORDS_MS = 100;
const OVER = Symbol('over');

/** What came of work that was given up: a result, an error, or neither. @internal */
export type LastWords<T> = { readonly result: T } | { readonly error: unknown } | undefined;

/**
 * One deadline over the whole boot: calls under way are aborted, and a function that hangs is left behind.
 *
 * @param explain tells what stood in its way; called when the work was given up, whoever did so
 * @param signal of the caller, who may give up earlier
 * @throws VaultTimeoutError, VaultAbortedError
 * @internal
 */
export async function withDeadline<T>(
  timeoutMs: number,
  endpoint: string,
  work: (signal: AbortSignal) => Promise<T>,
  explain: (last: LastWords<T>) => string,
  signal?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  let end!: () => void;
  const ended = new Promise<typeof OVER>((resolve) => (end = () => resolve(OVER)));
  const timer = setTimeout(end, timeoutMs);
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted) {
    end();
    controller.abort();
  }
  const working = work(controller.signal);
  try {
    const first = await Promise.race([ended, working]);
    if (first !== OVER) return first;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
  controller.abort();
  const last = working.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
  const obstacles = explain(await within(LAST_WORDS_MS, last));
  const details = { endpoint, operation: 'boot' };
  if (signal?.aborted) throw new VaultAbortedError(`${endpoint} is waited for no longer. ${obstacles}`, details);
  throw new VaultTimeoutError(
    `The application could not be booted on ${endpoint} within ${timeoutMs} ms ("boot.timeoutMs"). ${obstacles}`,
    details,
  );
}
