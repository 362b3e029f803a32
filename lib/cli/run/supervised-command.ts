import type { CliOutput } from '../cli-command.js';
import { CommandProcess } from './command-process.js';
import { isTerminationSignal } from './process-group.js';

/**
 * The command across restarts: forwards signals to its current process and returns its exit code.
 * @internal
 */
export class SupervisedCommand {
  readonly #command: readonly string[];
  readonly #graceMs: number;
  readonly #output: Pick<CliOutput, 'error' | 'warn'>;
  #process: CommandProcess | undefined;
  #stopping: Promise<void> | undefined;
  #next: NodeJS.ProcessEnv | undefined;
  #ending = false;

  /** @param graceMs how long the command may take to end on a restart before it is killed */
  constructor(command: readonly string[], graceMs: number, output: Pick<CliOutput, 'error' | 'warn'>) {
    this.#command = command;
    this.#graceMs = graceMs;
    this.#output = output;
  }

  /**
   * Runs the command until it exits. A command that exits on its own is not restarted: that is up to the service manager, which
   * has a backoff.
   *
   * @returns the exit code
   */
  async run(first: NodeJS.ProcessEnv): Promise<number> {
    let previousEnv: NodeJS.ProcessEnv | undefined;
    for (let env = first; ;) {
      this.#process = new CommandProcess(this.#command, env, this.#graceMs);
      const { exitCode, problem } = await this.#process.exited;
      await this.#stopping;
      this.#stopping = undefined;
      if (this.#ending) await this.#process.stopGroup(this.#graceMs);
      let next = this.#next;
      this.#next = undefined;
      if (problem === undefined) previousEnv = env;
      else if (next || !previousEnv) this.#output.error(problem);
      else {
        this.#output.warn(`${problem} The command goes on with the former values.`);
        next = previousEnv;
        previousEnv = undefined;
      }
      if (!next || this.#ending) return exitCode;
      env = next;
    }
  }

  /** Restarts the command with a new environment, which replaces that of a pending restart. */
  restart(env: NodeJS.ProcessEnv): void {
    if (this.#ending) return;
    this.#next = env;
    this.#stopping ??= this.#process?.stop(this.#graceMs);
  }

  /** Forwards a signal. After a termination signal, the command is not restarted. */
  signal(signal: NodeJS.Signals): void {
    if (isTerminationSignal(signal)) this.#ending = true;
    this.#process?.signal(signal);
  }
}
