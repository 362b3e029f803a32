import type { Log } from '../observability/log-events.js';

/** A command of `npx nestjs-vault`. @internal */
export interface CliCommand {
  readonly name: string;
  /** Line in the list of commands. */
  readonly summary: string;
  /** What `--help` prints. */
  readonly help: string;
  /**
   * @param args arguments after the name of the command
   * @returns the exit code
   * @throws CliError or VaultError, which `runCli` prints before it exits with code 1
   */
  run(args: readonly string[], output: CliOutput): Promise<number>;
}

/** A mistake in the command line or the options file. @internal */
export class CliError extends Error {
  /** @param code code of the `VaultError` it replaces */
  constructor(
    message: string,
    readonly code?: string,
  ) {
    super(message);
  }
}

type Level = 'info' | 'warn' | 'error';

/**
 * Writes messages to standard error, as text or as one JSON object per line. Standard output is reserved for the result of
 * a command.
 * @internal
 */
export class CliOutput implements Log {
  json = false;

  /** Discards the log of the boot, as `debug` does. */
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
