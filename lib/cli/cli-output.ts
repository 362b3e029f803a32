import type { BootLog } from '../boot/boot-summary.js';

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
