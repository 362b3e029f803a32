import type { ChildProcessByStdio } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { until } from './until.js';

const BIN = fileURLToPath(new URL('../../dist/esm/cli/main.js', import.meta.url));

/** What commands inherit beside the values. */
export const SCRIPT_ENV = { APP_PASSWORD: `pw-${randomUUID()}`, NOT_SECRET: 'inherited' };

/** One process of the built program, and what it prints. */
export class Run {
  stdout = '';
  stderr = '';
  readonly #ended: Promise<number | NodeJS.Signals>;

  constructor(readonly child: ChildProcessByStdio<Writable, Readable, Readable>) {
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL')));
  }

  /** The exit code, once it has ended and all it printed is here. */
  end(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }

  printed(text: string | RegExp): Promise<void> {
    return this.until(() => (typeof text === 'string' ? this.stdout.includes(text) : text.test(this.stdout)));
  }

  said(text: string): Promise<void> {
    return this.until(() => this.stderr.includes(text));
  }

  until(condition: () => boolean): Promise<void> {
    return until(condition, { context: () => `${this.stdout}\n${this.stderr}` });
  }
}

/** Whether there is such a process, other than one that has ended and that nobody has waited for yet. */
export function runs(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return /^[^Z]/.test(stdout.trim());
}

/** A server with the user `app`, and a folder with options to log in as that user, in which `nestjs-vault` is run. */
export class CliBench {
  readonly #running: Run[] = [];

  private constructor(
    readonly server: VaultServer,
    readonly folder: string,
  ) {}

  static async start(): Promise<CliBench> {
    const folder = await mkdtemp(join(tmpdir(), 'cli-run-spec-'));
    const server = await startVaultServer({ storage: 'file', seal: { shares: 1, threshold: 1 } });
    const bench = new CliBench(server, folder);
    await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
    await bench.allow(true);
    await server.request('POST', 'auth/userpass/users/app', {
      password: SCRIPT_ENV.APP_PASSWORD,
      token_policies: ['app'],
    });
    await bench.write(
      'vault.mjs',
      `export default async () => ({
        endpoint: process.env.VAULT_ADDR,
        auth: { method: 'userpass', username: 'app', password: { env: 'APP_PASSWORD' } },
        config: { sources: ['app', { secretPath: 'db', as: 'database' }] },
      });`,
    );
    return bench;
  }

  /** Whether the user may read secrets. */
  async allow(read: boolean): Promise<void> {
    const policy = `path "secret/data/*" { capabilities = ["${read ? 'read' : 'deny'}"] }`;
    await this.server.request('PUT', 'sys/policies/acl/app', { policy });
  }

  write(name: string, content: string): Promise<void> {
    return writeFile(join(this.folder, name), content);
  }

  async countTokens(): Promise<number> {
    const { body } = await this.server.request('GET', 'auth/token/accessors?list=true');
    return (body as { data: { keys: string[] } }).data.keys.length;
  }

  /** Runs `nestjs-vault run … -- command`, where a text is a program for Node. */
  run(flags: string[], command: string | string[], env: NodeJS.ProcessEnv = {}, cwd = this.folder): Run {
    const words = typeof command === 'string' ? [process.execPath, '-e', command] : command;
    return this.spawn([process.execPath, BIN, 'run', ...flags, '--', ...words], env, cwd);
  }

  spawn([program = '', ...args]: string[], env: NodeJS.ProcessEnv = {}, cwd = this.folder): Run {
    const given = { PATH: process.env['PATH'], VAULT_ADDR: this.server.endpoint, ...SCRIPT_ENV, ...env };
    const run = new Run(spawn(program, args, { cwd, env: given, stdio: ['pipe', 'pipe', 'pipe'] }));
    this.#running.push(run);
    return run;
  }

  /** Ends what still runs. */
  clear(): void {
    for (const run of this.#running.splice(0)) run.child.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.clear();
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Words that run the program itself. */
  static readonly program = [process.execPath, BIN];
}
