import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { isTerminationSignal, startWatchdog, exitCodeOf, isGroupRunning, signalGroup } from './process-group.js';

/** Exit codes of shells for a command that cannot be run. */
const EXIT_NOT_FOUND = 127;
const EXIT_NOT_EXECUTABLE = 126;
/** How long to wait for killed processes to exit. */
const KILL_TIMEOUT_MS = 1000;

/** @internal */
export interface ProcessExit {
  readonly exitCode: number;
  /** Why it could not be started. */
  readonly problem?: string;
}

/**
 * One run of the command, with the standard streams of this process. At a terminal it shares the process group, so that it
 * can read from the terminal. Otherwise it leads its own group, so that a restart also ends its child processes.
 * @internal
 */
export class CommandProcess {
  readonly #child: ChildProcess | undefined;
  readonly #group: number | undefined;
  /** Resolves when the command has exited or could not be started. */
  readonly exited: Promise<ProcessExit>;

  /** @param graceMs how long it may take to end before it is killed, after this process is gone */
  constructor([program = '', ...args]: readonly string[], env: NodeJS.ProcessEnv, graceMs: number) {
    const hasGroup = process.platform !== 'win32' && ![0, 1, 2].some((descriptor) => isatty(descriptor));
    let child: ChildProcess;
    try {
      child = spawn(program, args, { env, stdio: 'inherit', detached: hasGroup });
    } catch (error) {
      this.exited = Promise.resolve(describeStartFailure(program, error, env));
      return;
    }
    this.#child = child;
    // The id of a process group is the pid of its first process.
    this.#group = hasGroup ? child.pid : undefined;
    const endWatchdog = startWatchdog(this.#group === undefined ? child.pid : -this.#group, graceMs);
    this.exited = new Promise((resolve) => {
      // Also emitted if a signal could not be sent, which does not end the command.
      child.on('error', (error) => {
        if (child.pid === undefined) resolve(describeStartFailure(program, error, env));
      });
      child.once('exit', (code, signal) => {
        endWatchdog();
        resolve({ exitCode: signal === null ? (code ?? 1) : exitCodeOf(signal) });
      });
    });
  }

  /**
   * Forwards a signal. A termination signal goes to the whole group, as from service managers and terminals, because shells
   * and npm do not forward it to their children. Any other goes to the process alone.
   */
  signal(signal: NodeJS.Signals): void {
    if (!isTerminationSignal(signal)) this.#child?.kill(signal);
    // The terminal has already sent Ctrl-C to the whole group. Many programs exit without cleanup on a second one.
    else if (this.#group !== undefined || signal === 'SIGTERM') this.#send(signal);
  }

  /** Sends SIGTERM, and SIGKILL after `graceMs`. Resolves when the command has exited. */
  async stop(graceMs: number): Promise<void> {
    const deadline = Date.now() + graceMs;
    this.#send('SIGTERM');
    await Promise.race([this.exited, delay(graceMs, undefined, { ref: false })]);
    await this.stopGroup(deadline - Date.now());
    await this.exited;
  }

  /** Waits for the rest of the group to exit, and kills what is left after `graceMs`. */
  async stopGroup(graceMs: number): Promise<void> {
    await this.#waitForGroupExit(Date.now() + graceMs);
    this.#send('SIGKILL');
    await this.#waitForGroupExit(Date.now() + KILL_TIMEOUT_MS);
  }

  #send(signal: NodeJS.Signals): void {
    if (this.#group === undefined) this.#child?.kill(signal);
    else signalGroup(this.#group, signal);
  }

  async #waitForGroupExit(deadline: number): Promise<void> {
    while (this.#group !== undefined && Date.now() < deadline && (await isGroupRunning(this.#group))) await delay(50);
  }
}

function describeStartFailure(program: string, error: unknown, env: NodeJS.ProcessEnv): ProcessExit {
  // Node's message quotes the arguments, which may contain secrets.
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return { exitCode: EXIT_NOT_FOUND, problem: `${program}: command not found.` };
  if (code === 'E2BIG') return { exitCode: EXIT_NOT_EXECUTABLE, problem: describeSizes(env) };
  return { exitCode: EXIT_NOT_EXECUTABLE, problem: `${program}: cannot be run (${code}).` };
}

function describeSizes(env: NodeJS.ProcessEnv): string {
  const sizes = Object.entries(env).map(([name, value = '']) => ({ name, kb: Buffer.byteLength(value) / 1000 }));
  const largest = sizes.sort((a, b) => b.kb - a.kb).slice(0, 3);
  const total = sizes.reduce((sum, { kb }) => sum + kb, 0);
  return `The values are larger than an environment may be (E2BIG): ${total.toFixed()} kB, most of it in ${largest
    .map(({ name, kb }) => `${name} (${kb.toFixed()} kB)`)
    .join(', ')}. Leave large values out with --omit, and have them written to files: "files" in their source.`;
}
