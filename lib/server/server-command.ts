import type { ServerCommand } from './server-process.js';
import { containerCommand } from './container.js';
import type { ServerBinary } from './find-binary.js';

/**
 * How to run a server with a configuration file: as a program, or in a container.
 * @internal
 */
export function serverCommand(
  binary: ServerBinary,
  {
    configFile,
    scratchDir,
    directories,
    ports,
  }: {
    configFile: string;
    scratchDir: string;
    directories: string[];
    ports: number[];
  },
): Pick<ServerCommand, 'command' | 'env' | 'endsWithInput'> {
  const args = ['server', `-config=${configFile}`];
  switch (binary.kind) {
    case 'program':
      return {
        command: [binary.path, ...args],
        // A home of its own and none of the caller's VAULT_* and BAO_* settings.
        env: { PATH: process.env['PATH'], HOME: scratchDir, TMPDIR: scratchDir },
        endsWithInput: false,
      };
    case 'image':
      return {
        command: containerCommand(binary.image, { directories, ports, args }),
        // For the client, which passes none of it on: it finds its engine by HOME and DOCKER_*.
        env: process.env,
        endsWithInput: true,
      };
  }
}

/** Where a server has to listen to be reached on 127.0.0.1: in a container that is another address. @internal */
export function listenHost(binary: ServerBinary): string {
  return binary.kind === 'image' ? '0.0.0.0' : '127.0.0.1';
}

/**
 * The last part of what a server printed.
 *
 * @internal
 */
export class ServerOutput {
  private text = '';

  constructor(
    private readonly listener?: (text: string) => void,
    private readonly limit = 512 * 1024,
  ) {}

  append(chunk: string): void {
    this.text = (this.text + chunk).slice(-this.limit);
    this.listener?.(chunk);
  }

  toString(): string {
    return this.text;
  }

  /** The last lines, for error messages. */
  tail(lines = 20): string {
    return this.text.trimEnd().split('\n').slice(-lines).join('\n');
  }
}
