import { isVaultError } from '../../errors/index.js';
import { backoffMs } from '../../lifetime/backoff.js';
import { systemClock } from '../../lifetime/clock.js';
import { CliError } from '../cli-command.js';
import type { CliOutput } from '../cli-command.js';

const MAX_BACKOFF_MS = 300_000;

/** @internal */
export interface WatchedEnvironment {
  /** The current environment of the command. */
  readonly values: Readonly<Record<string, string>>;
  readonly read: (signal: AbortSignal) => Promise<Record<string, string>>;
  /** Called with the complete new environment when any value has changed. */
  readonly onChange: (values: Record<string, string>) => void;
  readonly intervalMs: number;
  readonly output: CliOutput;
}

/**
 * Polls the environment and reports changes. An error changes nothing: it is logged once, and the delay grows until polling
 * succeeds. The delay also grows while every poll finds a change. The first delay is random, so that commands started
 * together are not restarted together.
 *
 * @returns stops polling
 * @internal
 */
export function watchEnvironment({ values, read, onChange, intervalMs, output }: WatchedEnvironment): () => void {
  const closing = new AbortController();
  const backoff = { firstMs: intervalMs, maxMs: Math.max(intervalMs, MAX_BACKOFF_MS), jitter: [0.9, 1.1] } as const;
  let current = values;
  let lastWarning: string | undefined;
  let failures = 0;
  let changes = 0;
  let cancelTimer: () => void;

  const poll = async (): Promise<void> => {
    try {
      const next = await read(closing.signal);
      if (closing.signal.aborted) return;
      if (lastWarning !== undefined) output.info('The configuration can be read again.');
      lastWarning = undefined;
      failures = 0;
      const changed = changedNames(current, next);
      changes = changed.length > 0 ? changes + 1 : 0;
      if (changes > 0) {
        const repeated = changes > 1 ? ` ${changes} looks in a row found a change; the next one is later.` : '';
        output.info(`Changed: ${changed.join(', ')}. The command is restarted.${repeated}`);
        current = next;
        onChange(next);
      }
    } catch (error) {
      if (closing.signal.aborted) return;
      failures += 1;
      warnOnce(error);
    }
    schedule(backoffMs(Math.max(failures, changes - 1) + 1, backoff));
  };
  const warnOnce = (error: unknown): void => {
    const known = isVaultError(error) || error instanceof CliError;
    const message = known ? error.message : 'an unexpected failure.';
    // The errors of one outage differ, and count as one.
    const warning = isVaultError(error) && error.retryable ? 'outage' : message;
    if (warning !== lastWarning) output.warn(`The command keeps running as it is: ${message}`);
    lastWarning = warning;
  };
  const schedule = (waitMs: number): void => {
    cancelTimer = systemClock.setTimer(waitMs, () => void poll(), true);
  };

  schedule(intervalMs * Math.random());
  return () => {
    closing.abort();
    cancelTimer();
  };
}

/** Names of variables that were added, changed or removed. */
function changedNames(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]).sort();
}
