import { execFile } from 'node:child_process';
import type { AddressInfo, Server } from 'node:net';
import { createServer } from 'node:net';

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
  // Package indexes may be configured with credentials in their addresses.
  const lines = stderr.trim().replace(/\/\/[^/@\s]+@/g, '//***@');
  const exit = typeof error.code === 'number' ? `exit code ${error.code}` : (error.code ?? error.name);
  return lines === '' ? exit : `${exit}: ${lines.split('\n').slice(-2).join(' ').slice(0, 400)}`;
}

/**
 * Asks the operating system for two ports on 127.0.0.1 that nobody listens on. Another process may take one before it is used:
 * the caller retries.
 * @internal
 */
export async function freePorts(): Promise<[number, number]> {
  // Held at the same time, so that they differ.
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
 * Shell program that runs the server and does not let it outlive the process that started it.
 *
 * File descriptor 3 is the lifeline: a two-way pipe whose other end only the starting process holds, so the kernel closes it
 * however that process ends. The shell writes the server's pid to it and then waits on it. A line means that the server has
 * ended: the shell collects it and passes its exit code on. The end of the stream means that the starter is gone: the shell kills
 * the server and removes its scratch directory. There is no moment in which the server runs unwatched, and no process is left for
 * init to collect while the starter lives.
 *
 * Arguments: scratch directory, server command, its arguments. Signals are ignored only after the server was started, because it
 * would inherit that; the broken pipe among them, because the starter may be gone before the pid is written.
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
