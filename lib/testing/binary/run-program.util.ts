import { execFile } from 'node:child_process';

/** @internal */
export interface ProgramResult {
  /** Whether the program could be run and ended with exit code 0. */
  ok: boolean;
  stdout: string;
  /** For people: why it is not `ok`. */
  reason: string;
}

/**
 * Runs a program to its end. Never rejects: a program that is missing or fails is an answer here.
 * @internal
 */
export function runProgram(
  command: readonly string[],
  { env, timeoutMs, signal }: { env: NodeJS.ProcessEnv; timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<ProgramResult> {
  const [file = '', ...args] = command;
  return new Promise((resolve) => {
    const options = { env, timeout: timeoutMs, killSignal: 'SIGKILL' as const, ...(signal && { signal }) };
    execFile(file, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ ok: true, stdout, reason: '' });
      else resolve({ ok: false, stdout, reason: explain(error, stderr, timeoutMs) });
    }).stdin?.end();
  });
}

function explain(
  error: Error & { code?: string | number | null; killed?: boolean },
  stderr: string,
  timeoutMs: number,
): string {
  if (error.code === 'ENOENT') return 'not installed';
  if (error.code === 'EACCES') return 'not executable';
  if (error.killed === true) return `gave no result within ${timeoutMs} ms`;
  // Package indexes may be configured with credentials in their addresses.
  const lines = stderr.trim().replace(/\/\/[^/@\s]+@/g, '//***@');
  const exit = typeof error.code === 'number' ? `exit code ${error.code}` : (error.code ?? error.name);
  return lines === '' ? exit : `${exit}: ${lines.split('\n').slice(-2).join(' ').slice(0, 400)}`;
}
