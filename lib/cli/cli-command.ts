import type { BootLog } from '../boot/boot-summary.js';

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

type Level = 'info' | 'warn' | 'error';

/**
 * Says things on standard error, for people or as one JSON object a line; standard output belongs to what a command
 * was asked for.
 * @internal
 */
export class CliOutput implements BootLog {
  json = false;

  /** What a boot reports. Nobody has asked. */
  log(_message: string): void {}
  debug(_message: string): void {}

  info(message: string): void {
    this.#write('info', message);
  }

  warn(message: string): void {
    this.#write('warn', message);
  }

  error(message: string, code?: string): void {
    this.#write('error', message, code);
  }

  #write(level: Level, message: string, code?: string): void {
    const line = this.json
      ? JSON.stringify({ level, ...(code !== undefined && { code }), message })
      : `nestjs-vault: ${message}`;
    process.stderr.write(`${line}\n`);
  }
}
