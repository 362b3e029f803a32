import { within } from '../client/within.js';
import type { LoadedConfiguration } from '../config/configuration.js';
import type { VaultError, VaultErrorCode } from '../errors/index.js';
import { isVaultError, VaultAbortedError, VaultConfigurationError, VaultTimeoutError } from '../errors/index.js';

const MOST_CALLS = 5;
const MOST_LINES = 10;

/** What is said of calls that were given up, by the `reason` of their error. */
const WAITING: Readonly<Record<string, (calls: string) => string>> = {
  answer: (calls) => `The server has not answered: ${calls}. Check its health.`,
  'no-connection': (calls) =>
    `There was no connection to: ${calls}. Check "endpoint" (VAULT_ADDR) and firewalls in between.`,
  'rate-limit': (calls) => `"request.rateLimit" (VAULT_RATE_LIMIT) left no turn for: ${calls}. Raise it.`,
};

/**
 * What stood in the way of a boot that ran out of time.
 * @internal
 */
export class Obstacles {
  /** What a boot waits for when it waits for nothing of the server's; named by the options concerned. */
  step = '';
  readonly #tries = new Map<string, VaultError>();

  /** A try has failed, and its call goes on. */
  note(error: VaultError): void {
    this.#tries.set(error.operation ?? '', error);
  }

  /** What had failed for good, whatever became of the rest. */
  refusals(last: LastWords<LoadedConfiguration>): readonly VaultError[] {
    return last && 'error' in last ? parts(last.error).filter((error) => !isOutage(error)) : [];
  }

  /**
   * Tells, with the fix, what each unfinished call met last or waits for, and what had failed already.
   *
   * @param last what came of the load when it was given up
   */
  describe(last: LastWords<LoadedConfiguration>): string {
    if (!last) return `It waits for ${this.step}, which has not returned. Check it.`;
    const lines = new Set<string>();
    const waiting = new Map<string, Set<string>>();
    for (const error of failuresIn(last)) {
      const { operation = '', reason = 'answer' } = error;
      const met = this.#tries.get(operation);
      // An error without an endpoint is of no call, or of one for which there was no server.
      if (!(error instanceof VaultAbortedError) || error.endpoint === undefined) lines.add(error.message);
      else if (met) lines.add(met.message);
      else waiting.set(reason, (waiting.get(reason) ?? new Set()).add(operation));
    }
    // With calls unanswered, others wait for the connections these have.
    const unanswered = waiting.get('answer');
    if (unanswered) for (const call of waiting.get('no-connection') ?? []) unanswered.add(call);
    if (unanswered) waiting.delete('no-connection');
    for (const [reason, calls] of waiting) lines.add((WAITING[reason] ?? WAITING['answer'])!(list(calls)));
    return asText([...lines]);
  }
}

/** Whether it says only that Vault is away, or that nobody waited any longer. */
function isOutage(error: VaultError): boolean {
  return error instanceof VaultAbortedError || isUnreachable(error);
}

/** A load that ended too late may have succeeded, but for namespaces of `forFeature`. */
function failuresIn(last: NonNullable<LastWords<LoadedConfiguration>>): readonly VaultError[] {
  return ('result' in last ? [...last.result.failedFeatures.values()] : [last.error]).flatMap(parts);
}

function parts(error: unknown): readonly VaultError[] {
  if (error instanceof VaultConfigurationError) return error.errors.flatMap(parts);
  return isVaultError(error) ? [error] : [];
}

function list(calls: ReadonlySet<string>): string {
  const shown = [...calls].slice(0, MOST_CALLS);
  if (calls.size > shown.length) shown.push(`and ${calls.size - shown.length} more`);
  return shown.join('; ');
}

function asText(lines: readonly string[]): string {
  const [only = 'Check the health of the server.'] = lines;
  if (lines.length < 2) return only;
  const shown = lines.slice(0, MOST_LINES).map((line, index) => `\n  ${index + 1}. ${line}`);
  const more = lines.length > shown.length ? `\n  and ${lines.length - shown.length} more` : '';
  return `This stood in its way:${shown.join('')}${more}`;
}

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

/** Of a Vault that answers nothing of use, or nothing at all. TLS is not among them: that is a wrong server or a wrong setting. */
const UNREACHABLE: readonly VaultErrorCode[] = [
  'VAULT_CONNECTION',
  'VAULT_RATE_LIMITED',
  'VAULT_SEALED',
  'VAULT_SERVER',
  'VAULT_TIMEOUT',
];

/** Whether every reason of a failure is that Vault is away: one denied secret among ten that timed out is another matter. @internal */
export function isUnreachable(error: unknown): error is VaultError {
  if (error instanceof VaultConfigurationError) return error.errors.length > 0 && error.errors.every(isUnreachable);
  return isVaultError(error) && UNREACHABLE.includes(error.code);
}
