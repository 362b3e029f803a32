import { setTimeout as delay } from 'node:timers/promises';

export interface UntilOptions {
  /** What is waited for; the error names it. Default: the source of the condition. */
  readonly what?: string;
  /** Default: 20 000. */
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** More to print when the condition was never met, such as log lines. */
  readonly context?: () => string;
}

/** Polls until a condition holds, and fails with its description when it does not within the time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { what = String(condition), timeoutMs = 20_000, intervalMs = 20, context }: UntilOptions = {},
): Promise<void> {
  for (const deadline = performance.now() + timeoutMs; !(await condition()); await delay(intervalMs)) {
    if (performance.now() > deadline)
      throw new Error(`not met within ${timeoutMs} ms: ${what}${context ? `\n${context()}` : ''}`);
  }
}
