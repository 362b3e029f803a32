import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';

/**
 * Waits for the end of its input, which the kernel closes however this process ends, and then ends the command: politely,
 * and ten seconds later by force. A line means that the command has ended already.
 */
const SCRIPT = `
read -r line && exit
kill -TERM "$1" || exit
for _ in 1 2 3 4 5 6 7 8 9 10; do
  sleep 1
  kill -0 "$1" || exit
done
kill -KILL "$1"
`;

/**
 * Keeps a command from outliving this process, also when that is killed. Where there is no shell, as on Windows and in
 * the smallest containers, there is no lifeline.
 *
 * @returns the function to call when the command has ended
 * @internal
 */
export function attachLifeline({ pid }: ChildProcess): () => void {
  if (pid === undefined || process.platform === 'win32') return () => undefined;
  const guard = spawn('/bin/sh', ['-c', SCRIPT, 'nestjs-vault', String(pid)], {
    // Nothing of the values, and out of reach of a terminal's Ctrl-C.
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.on('error', () => undefined).unref();
  const { stdin } = guard;
  stdin.on('error', () => undefined);
  (stdin as unknown as { unref?: () => void }).unref?.();
  return () => stdin.end('ended\n');
}
