import { isVaultError } from '../../errors/index.js';
import { CliError } from '../cli-command.js';
import type { CliOutput } from '../cli-output.js';

const LONGEST_BACKOFF_MS = 300_000;

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
 * environment, changes nothing: it is said once, and asked for at growing distances until it works again.
 *
 * @returns the function that ends it
 * @internal
 */
export function watchEnvironment({ values, read, onChange, intervalMs, output }: WatchedEnvironment): () => void {
  const closing = new AbortController();
  let current = values;
  let told: string | undefined;
  let failures = 0;
  let timer: NodeJS.Timeout;

  const look = async (): Promise<void> => {
    try {
      const next = await read(closing.signal);
      if (closing.signal.aborted) return;
      if (told !== undefined) output.info('The configuration can be read again.');
      told = undefined;
      failures = 0;
      const changed = differences(current, next);
      if (changed.length > 0) {
        output.info(`Changed: ${changed.join(', ')}. The command is restarted.`);
        current = next;
        onChange(next);
      }
    } catch (error) {
      if (closing.signal.aborted) return;
      failures += 1;
      const message = isVaultError(error) || error instanceof CliError ? error.message : 'an unexpected failure.';
      if (message !== told) output.warn(`The command keeps running as it is: ${message}`);
      told = message;
    }
    schedule();
  };
  const schedule = (): void => {
    const backoffMs = Math.min(intervalMs * 2 ** failures, Math.max(intervalMs, LONGEST_BACKOFF_MS));
    timer = setTimeout(() => void look(), Math.max(1, backoffMs * (0.9 + Math.random() / 5)));
  };

  schedule();
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
