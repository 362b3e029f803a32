import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { CliError } from '../cli-command.js';
import { attachLifeline } from './lifeline.js';
import { exitCodeOf } from './signals.js';

/** By shells' convention. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/**
 * The command, over however many restarts: it has our standard streams, gets the signals, and ends with an exit code.
 * @internal
 */
export class SupervisedCommand {
  readonly #command: readonly string[];
  readonly #graceMs: number;
  readonly #onFailure: (message: string) => void;
  #child: ChildProcess | undefined;
  #replacement: NodeJS.ProcessEnv | undefined;
  #kill: NodeJS.Timeout | undefined;
  #stopping = false;
  #resolve!: (code: number) => void;
  /** Settles when the command has ended and is not started again. */
  readonly exitCode: Promise<number>;

  /** @param graceMs how long it may take to end before it is killed, when it is restarted */
  constructor(command: readonly string[], graceMs: number, onFailure: (message: string) => void) {
    this.#command = command;
    this.#graceMs = graceMs;
    this.#onFailure = onFailure;
    this.exitCode = new Promise((resolve) => (this.#resolve = resolve));
  }

  start(env: NodeJS.ProcessEnv): void {
    const [program = '', ...args] = this.#command;
    let child: ChildProcess;
    try {
      child = spawn(program, args, { env, stdio: 'inherit' });
    } catch (error) {
      // Such as an empty name or a NUL in an argument. The message is Node's and quotes what it was given.
      throw new CliError(`Cannot start the command (${(error as NodeJS.ErrnoException).code ?? 'refused'}).`);
    }
    this.#child = child;
    const letGo = attachLifeline(child);
    child.once('error', (error: NodeJS.ErrnoException) => {
      // A signal that could not be sent is an error too, and no end.
      if (child.pid === undefined) this.#end(this.#explain(program, error.code));
    });
    child.once('exit', (code, signal) => {
      letGo();
      this.#ended(signal === null ? (code ?? 1) : exitCodeOf(signal));
    });
  }

  /** Ends the command and starts it again with another environment. A newer one takes the place of one that waits. */
  restart(env: NodeJS.ProcessEnv): void {
    const waits = this.#replacement !== undefined;
    this.#replacement = env;
    if (waits || this.#stopping) return;
    this.#child?.kill('SIGTERM');
    this.#kill = setTimeout(() => this.#child?.kill('SIGKILL'), this.#graceMs);
  }

  /** Passes a signal on. One that asks to end means that there is no restart any more. */
  signal(signal: NodeJS.Signals, hasIt = false): void {
    if (signal === 'SIGTERM' || signal === 'SIGINT') this.#stopping = true;
    if (!hasIt) this.#child?.kill(signal);
  }

  #ended(code: number): void {
    clearTimeout(this.#kill);
    const next = this.#replacement;
    this.#replacement = undefined;
    if (next && !this.#stopping) this.start(next);
    else this.#end(code);
  }

  #end(code: number): void {
    this.#child = undefined;
    this.#resolve(code);
  }

  #explain(program: string, code = 'unknown'): number {
    if (code === 'ENOENT') this.#onFailure(`${program}: command not found.`);
    else if (code === 'E2BIG') this.#onFailure('The values are larger than an environment may be (E2BIG).');
    else this.#onFailure(`${program}: cannot be run (${code}).`);
    return code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE;
  }
}
