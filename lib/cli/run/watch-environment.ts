import { isVaultError } from '../../errors/index.js';
import { CliError } from '../cli-command.js';
import type { CliOutput } from '../cli-command.js';

const LONGEST_BACKOFF_MS = 300_000;
/** What is longer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** @internal */
export interface WatchedEnvironment {
  /** What the command runs with now. */
  readonly values: Readonly<Record<string, string>>;
  /** Reads again. */
  readonly read: (signal: AbortSignal) => Promise<Record<string, string>>;
  /** Is called with what has changed, as a whole. */
  readonly onChange: (values: Record<string, string>) => void;
  readonly intervalMs: number;
  readonly output: CliOutput;
}

/**
 * Reads the environment again and again, and tells when it differs. What cannot be read, or cannot become an
 * environment, changes nothing: it is said once, and asked for at growing distances until it works again. What differs
 * each time it is read is asked for at growing distances too. The first look comes early by chance, so that commands
 * that were started together are not restarted together.
 *
 * @returns the function that ends it
 * @internal
 */
export function watchEnvironment({ values, read, onChange, intervalMs, output }: WatchedEnvironment): () => void {
  const closing = new AbortController();
  const longestMs = Math.max(intervalMs, LONGEST_BACKOFF_MS);
  let current = values;
  let told: string | undefined;
  let failures = 0;
  let changes = 0;
  let timer: NodeJS.Timeout;

  const look = async (): Promise<void> => {
    try {
      const next = await read(closing.signal);
      if (closing.signal.aborted) return;
      if (told !== undefined) output.info('The configuration can be read again.');
      told = undefined;
      failures = 0;
      const changed = differences(current, next);
      changes = changed.length > 0 ? changes + 1 : 0;
      if (changes > 0) {
        const steady = changes > 1 ? ` ${changes} looks in a row found a change; the next one is later.` : '';
        output.info(`Changed: ${changed.join(', ')}. The command is restarted.${steady}`);
        current = next;
        onChange(next);
      }
    } catch (error) {
      if (closing.signal.aborted) return;
      failures += 1;
      tell(error);
    }
    const backoffMs = Math.min(longestMs, intervalMs * 2 ** Math.max(failures, changes - 1));
    schedule(backoffMs * (0.9 + Math.random() / 5));
  };
  const tell = (error: unknown): void => {
    const known = isVaultError(error) || error instanceof CliError;
    const message = known ? error.message : 'an unexpected failure.';
    // An outage has many faces, and is one piece of news.
    const news = isVaultError(error) && error.retryable ? 'outage' : message;
    if (news !== told) output.warn(`The command keeps running as it is: ${message}`);
    told = news;
  };
  const schedule = (waitMs: number): void => {
    timer = setTimeout(() => void look(), Math.min(waitMs, LONGEST_TIMER_MS));
  };

  schedule(intervalMs * Math.random());
  return () => {
    closing.abort();
    clearTimeout(timer);
  };
}

/** Names that were added, changed or taken away. */
function differences(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]).sort();
}
