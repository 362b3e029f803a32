import type { CliOutput } from '../cli-command.js';
import { CommandProcess } from './command-process.js';
import { asksToEnd } from './process-group.js';

/**
 * The command, over however many restarts: it gets the signals, and ends with an exit code.
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

  /** @param graceMs how long it may take to end before it is killed, when it is restarted */
  constructor(command: readonly string[], graceMs: number, output: Pick<CliOutput, 'error' | 'warn'>) {
    this.#command = command;
    this.#graceMs = graceMs;
    this.#output = output;
  }

  /**
   * Starts it. What ends by itself is not started again: that is for whoever watches over us, who has a backoff for it.
   *
   * @returns the exit code
   */
  async run(first: NodeJS.ProcessEnv): Promise<number> {
    let previousEnv: NodeJS.ProcessEnv | undefined;
    for (let env = first; ;) {
      this.#process = new CommandProcess(this.#command, env, this.#graceMs);
      const { exitCode, problem } = await this.#process.ended;
      await this.#stopping;
      this.#stopping = undefined;
      if (this.#ending) await this.#process.clear(this.#graceMs);
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

  /** Ends it and starts it again with another environment. A newer one takes the place of one that waits. */
  restart(env: NodeJS.ProcessEnv): void {
    if (this.#ending) return;
    this.#next = env;
    this.#stopping ??= this.#process?.stop(this.#graceMs);
  }

  /** Passes a signal on. One that asks to end means that there is no restart any more. */
  signal(signal: NodeJS.Signals): void {
    if (asksToEnd(signal)) this.#ending = true;
    this.#process?.signal(signal);
  }
}
