import type { ServerCommand } from './server-process.js';
import { containerCommand } from './container.js';
import type { ServerBinary } from './find-binary.js';

/**
 * Builds the command that runs a server as a program or in a container.
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
        // Its own home directory, and none of the caller's VAULT_* and BAO_* variables.
        env: { PATH: process.env['PATH'], HOME: scratchDir, TMPDIR: scratchDir },
        endsWithInput: false,
      };
    case 'image':
      return {
        command: containerCommand(binary.image, { directories, ports, args }),
        // For the Docker client, which needs HOME and DOCKER_* and passes nothing on to the container.
        env: process.env,
        endsWithInput: true,
      };
  }
}

/** Address a server must listen on to be reachable at 127.0.0.1 of the host. @internal */
export function listenHost(binary: ServerBinary): string {
  return binary.kind === 'image' ? '0.0.0.0' : '127.0.0.1';
}

/** The most recent output of a server. @internal */
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
