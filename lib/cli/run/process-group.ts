import { spawn } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { constants } from 'node:os';

/** @returns whether a process received the signal @internal */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}

/**
 * Whether a process of the group is still running. Zombies do not count: they remain in containers whose first process does
 * not reap them.
 * @internal
 */
export async function isGroupRunning(group: number): Promise<boolean> {
  if (!signalGroup(group, 0)) return false;
  // On other systems, init reaps orphans.
  if (process.platform !== 'linux') return true;
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const states = await Promise.all(processes.map((pid) => stateOfMember(group, pid)));
  return states.some((state) => state !== undefined && state !== 'Z' && state !== 'X');
}

async function stateOfMember(group: number, pid: string): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // After the name, which may contain anything: state, parent, group.
  const [state, , processGroup] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(processGroup) === group ? state : undefined;
}

/**
 * Waits for the end of its input, which the kernel closes however this process ends, then ends the command with SIGTERM, and
 * with SIGKILL after the grace period. A line on its input means that the command has already exited.
 */
const WATCHDOG_SCRIPT = `
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
 * Starts a watchdog that keeps a command from outliving this process, even if this process is killed. Without a shell, as on
 * Windows and in minimal containers, there is no watchdog.
 *
 * @param target pid, or process group as a negative number; `undefined` if the command could not be started
 * @returns ends the watchdog; to be called when the command has exited
 * @internal
 */
export function startWatchdog(target: number | undefined, graceMs: number): () => void {
  if (target === undefined || process.platform === 'win32') return () => undefined;
  const seconds = String(Math.ceil(graceMs / 1000));
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG_SCRIPT, 'nestjs-vault', String(target), seconds], {
    // None of the secrets, and its own process group, out of reach of Ctrl-C.
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watchdog.on('error', () => undefined).unref();
  const { stdin } = watchdog;
  stdin.on('error', () => undefined);
  (stdin as unknown as { unref?: () => void }).unref?.();
  return () => stdin.end('ended\n');
}

/** Signals to forward. Without a listener for SIGUSR1, Node would start its debugger. */
const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

/** The exit code that shells use for a program ended by a signal. @internal */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** Whether a signal requests the program to end. @internal */
export function isTerminationSignal(signal: NodeJS.Signals): boolean {
  return signal === 'SIGINT' || signal === 'SIGTERM' || signal === 'SIGQUIT';
}

/**
 * Forwards signals to the command. Before the command has started, they abort `beforeStart`.
 * @internal
 */
export class SignalForwarder {
  readonly #beforeStart = new AbortController();
  readonly #listeners = new Map<NodeJS.Signals, () => void>();
  #target: ((signal: NodeJS.Signals) => void) | undefined;
  /** The first signal received before the command started. */
  received: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of FORWARDED_SIGNALS) {
      // Some do not exist on Windows.
      if (constants.signals[signal] === undefined) continue;
      const listener = () => this.#receive(signal);
      this.#listeners.set(signal, listener);
      process.on(signal, listener);
    }
  }

  /** Aborted by a signal received before the command started. */
  get beforeStart(): AbortSignal {
    return this.#beforeStart.signal;
  }

  /** Sends all further signals to `target`. */
  forwardTo(target: (signal: NodeJS.Signals) => void): void {
    this.#target = target;
  }

  close(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }

  #receive(signal: NodeJS.Signals): void {
    if (this.#target) this.#target(signal);
    else {
      this.received ??= signal;
      this.#beforeStart.abort();
    }
  }
}
