import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { asksToEnd, startWatchdog, exitCodeOf, groupRuns, signalGroup } from './process-group.js';

/** By shells' convention. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
/** How long the kernel may take to end what was killed. */
const KILL_TIMEOUT_MS = 1000;

/** @internal */
export interface ProcessEnd {
  readonly exitCode: number;
  /** Why it could not even be started. */
  readonly problem?: string;
}

/**
 * One process of the command, with our standard streams. At a terminal it shares our process group, so that it can read
 * from the terminal; elsewhere it leads a group of its own, so that a restart leaves none of its descendants behind.
 * @internal
 */
export class CommandProcess {
  readonly #child: ChildProcess | undefined;
  readonly #group: number | undefined;
  /** Settles when it has ended, or could not be started. */
  readonly ended: Promise<ProcessEnd>;

  /** @param graceMs how long it may take to end before it is killed, when we are gone */
  constructor([program = '', ...args]: readonly string[], env: NodeJS.ProcessEnv, graceMs: number) {
    const hasGroup = process.platform !== 'win32' && ![0, 1, 2].some((descriptor) => isatty(descriptor));
    let child: ChildProcess;
    try {
      child = spawn(program, args, { env, stdio: 'inherit', detached: hasGroup });
    } catch (error) {
      this.ended = Promise.resolve(notStarted(program, error, env));
      return;
    }
    this.#child = child;
    // The number of a group is that of its first process.
    this.#group = hasGroup ? child.pid : undefined;
    const letGo = startWatchdog(this.#group === undefined ? child.pid : -this.#group, graceMs);
    this.ended = new Promise((resolve) => {
      // A signal that could not be sent is an error too, and no end.
      child.on('error', (error) => {
        if (child.pid === undefined) resolve(notStarted(program, error, env));
      });
      child.once('exit', (code, signal) => {
        letGo();
        resolve({ exitCode: signal === null ? (code ?? 1) : exitCodeOf(signal) });
      });
    });
  }

  /**
   * Passes a signal on: one that asks to end to the whole group, as service managers and terminals do, because neither
   * shells nor npm hand it on to what they have started; any other to the process alone, which knows what it means.
   */
  signal(signal: NodeJS.Signals): void {
    if (!asksToEnd(signal)) this.#child?.kill(signal);
    // A terminal has sent Ctrl-C to all of us. Passed on, it would arrive twice, and twice often means "at once".
    else if (this.#group !== undefined || signal === 'SIGTERM') this.#send(signal);
  }

  /** Asks it to end, and kills it after `graceMs`. Resolves when it has ended. */
  async stop(graceMs: number): Promise<void> {
    const deadline = Date.now() + graceMs;
    this.#send('SIGTERM');
    await Promise.race([this.ended, delay(graceMs, undefined, { ref: false })]);
    await this.clear(deadline - Date.now());
    await this.ended;
  }

  /** Waits for the rest of its group, and kills what is left after `graceMs`. */
  async clear(graceMs: number): Promise<void> {
    await this.#gone(Date.now() + graceMs);
    this.#send('SIGKILL');
    await this.#gone(Date.now() + KILL_TIMEOUT_MS);
  }

  #send(signal: NodeJS.Signals): void {
    if (this.#group === undefined) this.#child?.kill(signal);
    else signalGroup(this.#group, signal);
  }

  async #gone(deadline: number): Promise<void> {
    while (this.#group !== undefined && Date.now() < deadline && (await groupRuns(this.#group))) await delay(50);
  }
}

function notStarted(program: string, error: unknown, env: NodeJS.ProcessEnv): ProcessEnd {
  // The message is Node's and quotes what it was given.
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return { exitCode: NOT_FOUND, problem: `${program}: command not found.` };
  if (code === 'E2BIG') return { exitCode: NOT_EXECUTABLE, problem: tooLarge(env) };
  return { exitCode: NOT_EXECUTABLE, problem: `${program}: cannot be run (${code}).` };
}

function tooLarge(env: NodeJS.ProcessEnv): string {
  const sizes = Object.entries(env).map(([name, value = '']) => ({ name, kb: Buffer.byteLength(value) / 1000 }));
  const largest = sizes.sort((a, b) => b.kb - a.kb).slice(0, 3);
  const total = sizes.reduce((sum, { kb }) => sum + kb, 0);
  return `The values are larger than an environment may be (E2BIG): ${total.toFixed()} kB, most of it in ${largest
    .map(({ name, kb }) => `${name} (${kb.toFixed()} kB)`)
    .join(', ')}. Leave large values out with --omit, and have them written to files: "files" in their source.`;
}
