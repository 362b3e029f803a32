import { execFile } from 'node:child_process';
import type { AddressInfo, Server } from 'node:net';
import { createServer } from 'node:net';

/** @internal */
export interface ProgramResult {
  /** Whether the program ran and exited with code 0. */
  ok: boolean;
  stdout: string;
  /** Why `ok` is false, for messages. */
  reason: string;
}

/**
 * Runs a program until it exits. Never rejects: a missing or failing program is a result.
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
      else resolve({ ok: false, stdout, reason: describeFailure(error, stderr, timeoutMs) });
    }).stdin?.end();
  });
}

function describeFailure(
  error: Error & { code?: string | number | null; killed?: boolean },
  stderr: string,
  timeoutMs: number,
): string {
  if (error.code === 'ENOENT') return 'not installed';
  if (error.code === 'EACCES') return 'not executable';
  if (error.killed === true) return `gave no result within ${timeoutMs} ms`;
  // The address of a package index may contain credentials.
  const lines = stderr.trim().replace(/\/\/[^/@\s]+@/g, '//***@');
  const exit = typeof error.code === 'number' ? `exit code ${error.code}` : (error.code ?? error.name);
  return lines === '' ? exit : `${exit}: ${lines.split('\n').slice(-2).join(' ').slice(0, 400)}`;
}

/**
 * Finds two free ports on 127.0.0.1. Another process may take one before it is used, so callers must retry.
 * @internal
 */
export async function freePorts(): Promise<[number, number]> {
  // Both are open at the same time, so they differ.
  const [one, other] = await Promise.all([listenOnFreePort(), listenOnFreePort()]);
  return Promise.all([closeAndGetPort(one), closeAndGetPort(other)]);
}

function closeAndGetPort(server: Server): Promise<number> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve) => server.close(() => resolve(port)));
}

function listenOnFreePort(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

/**
 * Shell program that runs the server and ends it when the parent process ends.
 *
 * File descriptor 3 is a two-way pipe whose other end only the parent holds, so the kernel closes it however the parent ends.
 * The shell writes the server's pid to the pipe and then reads from it. A line means that the server has exited: the shell reaps
 * it and exits with the same code. The end of the stream means that the parent is gone: the shell kills the server and removes
 * its scratch directory. The server is watched from the start, and leaves no zombie while the parent is running.
 *
 * Arguments: scratch directory, server command, its arguments. Signals are ignored only after the server has started, which would
 * otherwise inherit that. They include the broken pipe, because the parent may be gone before the pid is written.
 * @internal
 */
export const WATCHDOG_SCRIPT = `
scratch=$1
shift
exec 4<&0
"$@" <&4 3<&- 4<&- &
server=$!
trap '' HUP INT PIPE TERM
exec </dev/null >/dev/null 2>&1 4<&-
echo "$server" >&3
if read -r line <&3; then
  wait "$server"
  exit "$?"
fi
kill -KILL "$server"
wait "$server"
rm -rf "$scratch"
`;
