import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { VaultAbortedError } from '../errors/vault-aborted.error.js';
import type { VaultError } from '../errors/vault-error.js';
import type { ServerOutput } from './server-output.js';
import { VaultTestServerError } from './vault-test-server.error.js';
import { WATCHDOG_SCRIPT } from './watchdog.constants.js';

// Printed once all listeners are bound. Waiting for it, and not merely for an answer on the port, makes sure that the answer
// comes from this server and not from another one that was faster to take the port.
const STARTED = /==> (?:OpenBao|Vault) server started!/;
const PORT_TAKEN = /address already in use/i;

/** @internal */
export interface ServerCommand {
  /** The program and its arguments. */
  command: string[];
  /** Removed by the watchdog when this process dies. */
  scratchDir: string;
  stdin?: 'pipe' | undefined;
  env: Record<string, string>;
  output: ServerOutput;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** How a start failed; `portTaken` tells the caller that other ports may work. */
interface StartFailure {
  portTaken: boolean;
  error: VaultError;
}

/**
 * One running server. It never keeps this process alive, and does not outlive it (see {@link WATCHDOG_SCRIPT}).
 * @internal
 */
export class ServerProcess {
  readonly pid: number;
  /** Settles when the server has ended and its output is complete. */
  readonly closed: Promise<void>;
  private ended = false;

  private constructor(private readonly child: ChildProcess) {
    this.pid = child.pid as number;
    const lifeline = child.stdio[3] as Socket;
    // The lifeline breaks when the watchdog is gone; whether the server is gone too is another event's news.
    lifeline.on('error', () => undefined);
    child.once('exit', () => lifeline.end('ended\n', () => lifeline.destroy()));
    this.closed = new Promise((resolve) =>
      child.once('close', () => {
        this.ended = true;
        resolve();
      }),
    );
  }

  get running(): boolean {
    return !this.ended;
  }

  /**
   * Starts the server and waits until its listeners are bound.
   * @returns the process, or why there is none; the server has ended then.
   */
  static async start(server: ServerCommand): Promise<ServerProcess | StartFailure> {
    const child = spawn('/bin/sh', ['-c', WATCHDOG_SCRIPT, 'nestjs-vault', server.scratchDir, ...server.command], {
      env: server.env,
      cwd: server.scratchDir,
      // A container client passes its standard input on: it is the lifeline of the watchdog inside the container.
      stdio: [server.stdin ?? 'ignore', 'pipe', 'pipe', 'pipe'],
      // Own process group: Ctrl-C in a terminal ends the application first, which may still want to revoke its token.
      detached: true,
    });
    if (child.pid === undefined) {
      const reason = await new Promise<Error>((resolve) => child.once('error', resolve));
      return { portTaken: false, error: new VaultTestServerError('start', `Cannot run /bin/sh: ${reason.message}`) };
    }
    const running = new ServerProcess(child);
    const failure = await running.waitUntilStarted(server);
    if (failure === undefined) return running;
    await running.stop(0);
    if (server.signal?.aborted === true) {
      return { portTaken: false, error: new VaultAbortedError('The start of the test server was aborted.') };
    }
    const output = server.output.tail();
    return {
      portTaken: PORT_TAKEN.test(output),
      error: new VaultTestServerError(
        'start',
        `The server ${failure}. It was started as: ${server.command.join(' ')}\n` +
          `Its last output:\n${output === '' ? '(none)' : output}`,
      ),
    };
  }

  /** Ends the server: at once when `graceMs` is 0, else politely first. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    if (this.ended) return;
    this.holdProcess(true);
    this.child.kill(graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), graceMs);
    await this.closed;
    clearTimeout(timer);
  }

  private async waitUntilStarted({ output, timeoutMs, signal }: ServerCommand): Promise<string | undefined> {
    const { child } = this;
    let cleanUp = (): void => undefined;
    const outcome = await new Promise<string | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(`did not start within ${timeoutMs} ms`), timeoutMs);
      const aborted = (): void => resolve('was aborted');
      const closed = (code: number | null, killedBy: string | null): void =>
        resolve(`ended with ${killedBy ?? `exit code ${code}`} instead of starting`);
      const receive = (chunk: string): void => {
        output.append(chunk);
        if (STARTED.test(output.tail())) resolve(undefined);
      };
      child.stdout?.setEncoding('utf8').on('data', receive);
      child.stderr?.setEncoding('utf8').on('data', receive);
      child.once('close', closed);
      signal?.addEventListener('abort', aborted, { once: true });
      if (signal?.aborted === true) aborted();
      cleanUp = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        child.off('close', closed);
        for (const stream of [child.stdout, child.stderr]) {
          stream?.off('data', receive).on('data', (chunk: string) => output.append(chunk));
        }
      };
    });
    cleanUp();
    this.holdProcess(false);
    return outcome;
  }

  /** Whether this process waits for the server's end before it ends itself. */
  private holdProcess(hold: boolean): void {
    const handles = [this.child, ...(this.child.stdio as (Socket | null)[])];
    for (const handle of handles) {
      if (hold) handle?.ref();
      else handle?.unref();
    }
  }
}
