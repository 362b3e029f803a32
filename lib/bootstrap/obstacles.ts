import type { LoadedConfiguration } from '../config/configuration.js';
import type { VaultError } from '../errors/index.js';
import { isVaultError, VaultAbortedError, VaultConfigurationError } from '../errors/index.js';
import type { LastWords } from './deadline.js';
import { isUnreachable } from './unreachable.js';

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
