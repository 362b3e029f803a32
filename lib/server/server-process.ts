import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { VaultTestServerError } from './server-error.js';
import { WATCHDOG_SCRIPT } from './run-program.js';
import type { ServerOutput } from './server-command.js';

// Printed once all listeners are bound. A response on the port alone would not prove that this server has the port, and not
// another process that took it first.
const STARTED_LINE = /==> (?:OpenBao|Vault) server started!/;
const PORT_TAKEN = /address already in use|port is already allocated/i;

const NO_FILE_STORAGE = /unknown storage type file/i;
const FILE_STORAGE_ADVICE =
  '\nOpenBao 2.7 and later have no storage "file": use storage "raft", or ask for version "2.6.2".';

// The container of a killed client lives on for a while, so the client is given time to exit, after which the port is free.
const CONTAINER_GRACE_MS = 10_000;

/** @internal */
export interface ServerCommand {
  /** The program and its arguments. */
  command: string[];
  /** Whether the program is stopped by closing its standard input, as a container client is. */
  endsWithInput: boolean;
  /** Working directory; removed when this process ends. */
  scratchDir: string;
  env: NodeJS.ProcessEnv;
  output: ServerOutput;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** Why the server did not start. @internal */
export interface StartFailure {
  error: VaultTestServerError;
  /** Whether the port is in use, so that another may work. */
  portTaken: boolean;
}

/**
 * A running server. It never keeps this process alive and does not outlive it (see {@link WATCHDOG_SCRIPT}).
 * @internal
 */
export class ServerProcess {
  /** Process id of the server; 0 until it is known. */
  pid = 0;
  /** Resolves when the server has exited and its output is complete. */
  readonly #closed: Promise<void>;
  #exited = false;

  private constructor(
    private readonly watchdog: ChildProcess,
    private readonly endsWithInput: boolean,
  ) {
    const [, stdout, stderr, watchdogPipe] = watchdog.stdio as unknown as [unknown, Socket, Socket, Socket];
    watchdogPipe.setEncoding('utf8').once('data', (pid: string) => (this.pid = Number(pid)));
    // Writing to a killed watchdog fails; its exit is reported by 'close'.
    for (const stream of [watchdogPipe, watchdog.stdin]) stream?.on('error', () => undefined);
    // Only the server holds the other ends of these pipes, so they end when it exits.
    void Promise.all([once(stdout, 'end'), once(stderr, 'end')]).then(
      () => {
        this.#exited = true;
        watchdogPipe.end('ended\n');
      },
      () => undefined,
    );
    this.#closed = new Promise((resolve) => {
      watchdog.once('close', () => {
        this.#exited = true;
        resolve();
      });
    });
  }

  /**
   * Starts the server and waits until its listeners are bound.
   * @returns the process, or why the server did not start, in which case no process is left
   */
  static async start(server: ServerCommand): Promise<ServerProcess | StartFailure> {
    const { command, endsWithInput, scratchDir, env, output } = server;
    const watchdog = spawn('/bin/sh', ['-c', WATCHDOG_SCRIPT, 'nestjs-vault', scratchDir, ...command], {
      env,
      cwd: scratchDir,
      stdio: [endsWithInput ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe'],
      // Its own process group: on Ctrl-C, the application can still revoke its token before the server ends.
      detached: true,
    });
    if (watchdog.pid === undefined) {
      const [reason] = (await once(watchdog, 'error')) as [Error];
      return { portTaken: false, error: new VaultTestServerError('start', `Cannot run /bin/sh: ${reason.message}`) };
    }
    const started = new ServerProcess(watchdog, endsWithInput);
    const failure = await started.#waitUntilStarted(server);
    if (failure === undefined) return started;

    await started.stop(0);
    return {
      portTaken: PORT_TAKEN.test(output.tail()),
      error: new VaultTestServerError(
        'start',
        `The server ${failure}. It was started as: ${command.join(' ')}\nIts last output:\n${output.tail() || '(none)'}` +
          (NO_FILE_STORAGE.test(output.tail()) ? FILE_STORAGE_ADVICE : ''),
      ),
    };
  }

  /** Kills the server, after SIGTERM and `graceMs` unless that is 0. Resolves when it has exited; may be called repeatedly. */
  async stop(graceMs: number): Promise<void> {
    this.#keepProcessAlive(true);
    let killAfterMs = graceMs;
    if (this.endsWithInput) {
      this.watchdog.stdin?.end();
      killAfterMs = CONTAINER_GRACE_MS;
    } else this.#kill(graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
    const timer = setTimeout(() => this.#kill('SIGKILL'), killAfterMs);
    await this.#closed;
    clearTimeout(timer);
  }

  /** The pid cannot belong to another process before the watchdog has reaped the server. */
  #kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.#exited) return;
    // Before the pid is known, closing the pipe makes the watchdog kill the server.
    if (this.pid === 0) (this.watchdog.stdio[3] as Socket).destroy();
    else {
      try {
        process.kill(this.pid, signal);
      } catch (error) {
        // The server has exited and was reaped.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  async #waitUntilStarted({ output, timeoutMs, signal }: ServerCommand): Promise<string | undefined> {
    const { watchdog } = this;
    const settled = new AbortController();
    try {
      return await new Promise<string | undefined>((resolve) => {
        for (const stream of [watchdog.stdout, watchdog.stderr]) {
          let recent = '';
          stream?.setEncoding('utf8').on('data', (chunk: string) => {
            output.append(chunk);
            if (settled.signal.aborted) return;
            // The line may be split across two chunks.
            if (STARTED_LINE.test(recent + chunk)) resolve(undefined);
            recent = chunk.slice(-100);
          });
        }
        const timer = setTimeout(() => resolve(`was not ready within ${timeoutMs} ms`), timeoutMs);
        settled.signal.addEventListener('abort', () => clearTimeout(timer));
        watchdog.once('close', (code) => resolve(`ended with exit code ${code} instead of starting`));
        signal?.addEventListener('abort', () => resolve('was aborted'), { signal: settled.signal });
        if (signal?.aborted === true) resolve('was aborted');
      });
    } finally {
      settled.abort();
      this.#keepProcessAlive(false);
    }
  }

  /** Whether the server keeps this process alive. */
  #keepProcessAlive(alive: boolean): void {
    for (const handle of [this.watchdog, ...(this.watchdog.stdio as (Socket | null)[])]) {
      if (alive) handle?.ref();
      else handle?.unref();
    }
  }
}
