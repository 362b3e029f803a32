import { spawn } from 'node:child_process';

/**
 * Waits for the end of its input, which the kernel closes however this process ends, and then ends the command: politely,
 * and by force when the time is up. A line means that the command has ended already.
 */
const SCRIPT = `
read -r line && exit
kill -TERM "$1" || exit
waited=0
while [ "$waited" -lt "$2" ]; do
  sleep 1
  kill -0 "$1" || exit
  waited=$((waited + 1))
done
kill -KILL "$1"
`;

/**
 * Keeps a command from outliving this process, also when that is killed. Where there is no shell, as on Windows and in
 * the smallest containers, there is no lifeline.
 *
 * @param target a process, or a group as a negative number; `undefined` when it has not been started
 * @returns the function to call when the command has ended
 * @internal
 */
export function attachLifeline(target: number | undefined, graceMs: number): () => void {
  if (target === undefined || process.platform === 'win32') return () => undefined;
  const seconds = String(Math.ceil(graceMs / 1000));
  const guard = spawn('/bin/sh', ['-c', SCRIPT, 'nestjs-vault', String(target), seconds], {
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
