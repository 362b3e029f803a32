import { spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

// The shell reads a pipe whose other end only this process holds: the kernel closes it, however this process ends. Then the
// shell ends the server and removes the directory. `stop()` closes the same pipe, so every test that stops a server tries
// the way that matters when one is killed. Only the server keeps standard error open, so its end says that the server ended.
const SCRIPT = `
work_dir=$1
shift
"$@" 3<&- &
server=$!
trap '' HUP INT TERM
exec 2>/dev/null
read -r _ <&3
kill -KILL "$server"
wait
rm -rf "$work_dir"
`;

export interface WatchedOptions {
  /** Removed when the process has ended. */
  readonly workDir: string;
  /** What its standard error shows once it serves. */
  readonly ready: RegExp;
  /**
   * The loopback port it serves on. slapd says "starting" between bind() and listen(), so on a busy machine a client that
   * goes by the text alone is refused.
   */
  readonly port?: number;
  readonly timeoutMs: number;
}

export interface WatchedProcess {
  /** Ends the process and removes its working directory. May be called twice. */
  readonly stop: () => Promise<void>;
}

/**
 * Runs a server that does not outlive this process, and leaves no files behind.
 *
 * @returns the process, or what it printed when it ended or was silent for `timeoutMs` instead of becoming ready
 */
export async function startWatched(
  command: readonly string[],
  options: WatchedOptions,
): Promise<WatchedProcess | { failed: string }> {
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'watched-process', options.workDir, ...command], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C in a terminal would end the server before the tests that use it.
    detached: true,
  });
  const lifeline = shell.stdio[3] as Socket;
  const errors = shell.stderr as Socket;
  lifeline.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => shell.once('close', () => resolve()));
  const stop = async (): Promise<void> => {
    shell.ref();
    lifeline.destroy();
    await closed;
  };

  let output = '';
  let settled = false;
  const ready = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => settle(false), options.timeoutMs);
    const settle = (outcome: boolean): void => {
      settled = true;
      clearTimeout(timer);
      resolve(outcome);
    };
    errors.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-64 * 1024);
      if (!options.ready.test(output)) return;
      if (options.port === undefined) settle(true);
      else void waitUntilAccepted(options.port, () => settled).then(() => settle(true));
    });
    errors.once('end', () => settle(false));
    shell.once('error', (error) => {
      output += error.message;
      settle(false);
    });
  });
  if (!ready) {
    await stop();
    return { failed: output };
  }
  // A server that a test forgot ends with the process; it must not keep the process from ending.
  shell.unref();
  lifeline.unref();
  errors.unref();
  return { stop };
}

// The kernel tells nobody when a socket begins to listen, so this asks.
async function waitUntilAccepted(port: number, givenUp: () => boolean): Promise<void> {
  while (!givenUp() && !(await accepts(port))) await delay(5);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
