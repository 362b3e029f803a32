import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { VaultTestServerError } from './server-error.js';
import { WATCHDOG_SCRIPT } from './run-program.js';
import type { ServerOutput } from './server-command.js';

// Printed once all listeners are bound. Waiting for it, and not merely for an answer on the port, makes sure that the answer
// comes from this server and not from another one that was faster to take the port.
const STARTED_LINE = /==> (?:OpenBao|Vault) server started!/;
const PORT_TAKEN = /address already in use|port is already allocated/i;

const NO_FILE_STORAGE = /unknown storage type file/i;
const FILE_STORAGE_ADVICE =
  '\nOpenBao 2.7 and later have no storage "file": use storage "raft", or ask for version "2.6.2".';

// A container goes away some time after its client was killed; waiting for the client means that the port is free afterwards.
const CONTAINER_GRACE_MS = 10_000;

/** @internal */
export interface ServerCommand {
  /** The program and its arguments. */
  command: string[];
  /** Whether the program ends when its standard input does (a container client); that is how it is stopped then. */
  endsWithInput: boolean;
  /** Working directory; removed when this process dies. */
  scratchDir: string;
  env: NodeJS.ProcessEnv;
  output: ServerOutput;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** Why there is no server; `portTaken` tells that it may work on another port. @internal */
export interface StartFailure {
  error: VaultTestServerError;
  portTaken: boolean;
}

/**
 * One running server. It never keeps this process alive, and does not outlive it (see {@link WATCHDOG_SCRIPT}).
 * @internal
 */
export class ServerProcess {
  /** Process id of the server; 0 until it is known. */
  pid = 0;
  /** Settles when the server has ended and its output is complete. */
  readonly #closed: Promise<void>;
  #ended = false;

  private constructor(
    private readonly watchdog: ChildProcess,
    private readonly endsWithInput: boolean,
  ) {
    const [, stdout, stderr, lifeline] = watchdog.stdio as unknown as [unknown, Socket, Socket, Socket];
    lifeline.setEncoding('utf8').once('data', (pid: string) => (this.pid = Number(pid)));
    // A write to a watchdog that was killed fails; 'close' tells about its end.
    for (const stream of [lifeline, watchdog.stdin]) stream?.on('error', () => undefined);
    // Only the server holds the other ends of its output, so their end is its end.
    void Promise.all([once(stdout, 'end'), once(stderr, 'end')]).then(
      () => {
        this.#ended = true;
        lifeline.end('ended\n');
      },
      () => undefined,
    );
    this.#closed = new Promise((resolve) => {
      watchdog.once('close', () => {
        this.#ended = true;
        resolve();
      });
    });
  }

  /**
   * Starts the server and waits until its listeners are bound.
   * @returns the process, or why there is none; whatever was started has ended then
   */
  static async start(server: ServerCommand): Promise<ServerProcess | StartFailure> {
    const { command, endsWithInput, scratchDir, env, output } = server;
    const watchdog = spawn('/bin/sh', ['-c', WATCHDOG_SCRIPT, 'nestjs-vault', scratchDir, ...command], {
      env,
      cwd: scratchDir,
      stdio: [endsWithInput ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe'],
      // Own process group: Ctrl-C in a terminal ends the application first, which may still want to revoke its token.
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

  /** Ends the server: at once when `graceMs` is 0, else politely first. Resolves when it is gone; may be called again. */
  async stop(graceMs: number): Promise<void> {
    this.#keepProcessAlive(true);
    let patienceMs = graceMs;
    if (this.endsWithInput) {
      this.watchdog.stdin?.end();
      patienceMs = CONTAINER_GRACE_MS;
    } else this.#kill(graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
    const timer = setTimeout(() => this.#kill('SIGKILL'), patienceMs);
    await this.#closed;
    clearTimeout(timer);
  }

  /** The pid is the server's as long as the watchdog has not collected it, so no other process can be hit. */
  #kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.#ended) return;
    // Before the pid is known, breaking the lifeline has the same effect.
    if (this.pid === 0) (this.watchdog.stdio[3] as Socket).destroy();
    else {
      try {
        process.kill(this.pid, signal);
      } catch (error) {
        // Gone already, and somebody else has collected it.
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
            // The line may come in two pieces.
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

  /** Whether this process waits for the server's end before it ends itself. */
  #keepProcessAlive(hold: boolean): void {
    for (const handle of [this.watchdog, ...(this.watchdog.stdio as (Socket | null)[])]) {
      if (hold) handle?.ref();
      else handle?.unref();
    }
  }
}
