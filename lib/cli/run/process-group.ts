import { spawn } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { constants } from 'node:os';

/** @returns whether there was somebody to get it @internal */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}

/**
 * Whether anything of a process group still runs. What has ended but is waited for by nobody, as in containers whose first
 * process is no init, does not count.
 * @internal
 */
export async function groupRuns(group: number): Promise<boolean> {
  if (!signalGroup(group, 0)) return false;
  // Elsewhere there is an init process that waits for orphans.
  if (process.platform !== 'linux') return true;
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const states = await Promise.all(processes.map((pid) => stateIn(group, pid)));
  return states.some((state) => state !== undefined && state !== 'Z' && state !== 'X');
}

async function stateIn(group: number, pid: string): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // Behind the name, which may hold anything: state, parent, group.
  const [state, , its] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(its) === group ? state : undefined;
}

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
export function startWatchdog(target: number | undefined, graceMs: number): () => void {
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

/** Those that shells and platforms send to programs. SIGUSR1 among them: by default, Node opens its debugger on it. */
const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

/** The exit code by which shells say that a signal ended a program. @internal */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** Whether it asks a program to end, rather than to do something. @internal */
export function asksToEnd(signal: NodeJS.Signals): boolean {
  return signal === 'SIGINT' || signal === 'SIGTERM' || signal === 'SIGQUIT';
}

/**
 * Takes the signals meant for the command. Until there is one, they give up what is being done.
 * @internal
 */
export class SignalForwarder {
  readonly #early = new AbortController();
  readonly #listeners = new Map<NodeJS.Signals, () => void>();
  #target: ((signal: NodeJS.Signals) => void) | undefined;
  /** The first signal that came before there was a command. */
  received: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of FORWARDED_SIGNALS) {
      // Windows knows some of them only by name.
      if (constants.signals[signal] === undefined) continue;
      const listener = () => this.#take(signal);
      this.#listeners.set(signal, listener);
      process.on(signal, listener);
    }
  }

  /** Aborted by a signal that comes before there is a command. */
  get beforeStart(): AbortSignal {
    return this.#early.signal;
  }

  /** From now on they go there. */
  forwardTo(target: (signal: NodeJS.Signals) => void): void {
    this.#target = target;
  }

  close(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }

  #take(signal: NodeJS.Signals): void {
    if (this.#target) this.#target(signal);
    else {
      this.received ??= signal;
      this.#early.abort();
    }
  }
}
