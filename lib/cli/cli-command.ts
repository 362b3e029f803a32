import type { CliOutput } from './cli-output.js';

/** One command of `npx nestjs-vault`; each has a file of its own. @internal */
export interface CliCommand {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` prints. */
  readonly help: string;
  /**
   * Runs to its end.
   *
   * @param args what follows the name of the command
   * @returns the exit code
   * @throws CliError, VaultError: printed, with exit code 1
   */
  run(args: readonly string[], output: CliOutput): Promise<number>;
}

/** What the user has to change in the command line or its files. @internal */
export class CliError extends Error {
  /** @param code of the `VaultError` it stands for */
  constructor(
    message: string,
    readonly code?: string,
  ) {
    super(message);
  }
}
