import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

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

export interface WatchedProcess {
  /** Ends the process and removes its working directory. May be called twice. */
  readonly stop: () => Promise<void>;
}

/**
 * Runs a server that does not outlive this process, and leaves no files behind.
 *
 * @param options `ready`: what its standard error shows once it serves; `workDir`: removed when the server has ended
 * @returns the process, or what it printed when it ended or was silent for `timeoutMs` instead of becoming ready
 */
export async function startWatched(
  command: readonly string[],
  options: { workDir: string; ready: RegExp; timeoutMs: number },
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
  const ready = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), options.timeoutMs);
    const settle = (outcome: boolean): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    errors.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-64 * 1024);
      if (options.ready.test(output)) settle(true);
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
