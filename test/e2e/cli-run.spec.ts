import type { ChildProcessByStdio } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { canary, findLeaks } from '../support/canary.js';
import { startFaultServer } from '../support/fault-server.js';

const MANIFEST = fileURLToPath(new URL('../../package.json', import.meta.url));
const BIN = fileURLToPath(new URL('../../dist/esm/cli/main.js', import.meta.url));

let server: VaultServer;
let folder: string;
let tokens: number;
const running: Run[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-run-spec-'));
  server = await startVaultServer({ storage: 'file', seal: { shares: 1, threshold: 1 } });
  await server.seed({ 'secret/app': { SMTP_PASSWORD: 'hunter2' }, 'secret/db': { password: 'x y', maxPool: 5 } });
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('PUT', 'sys/policies/acl/app', { policy: 'path "secret/data/*" { capabilities = ["read"] }' });
  await server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_policies: ['app'] });
  await writeFile(
    join(folder, 'vault.mjs'),
    `export default async () => ({
      endpoint: process.env.VAULT_ADDR,
      auth: { method: 'userpass', username: 'app', password: { env: 'APP_PASSWORD' } },
      config: { sources: ['app', { secretPath: 'db', as: 'database' }] },
    });`,
  );
  tokens = await countTokens();
});
afterEach(() => {
  for (const run of running.splice(0)) run.child.kill('SIGKILL');
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function countTokens(): Promise<number> {
  const { body } = await server.request('GET', 'auth/token/accessors?list=true');
  return (body as { data: { keys: string[] } }).data.keys.length;
}

/** One run of the built program. */
class Run {
  stdout = '';
  stderr = '';
  readonly #ended: Promise<number | NodeJS.Signals>;

  constructor(readonly child: ChildProcessByStdio<null, Readable, Readable>) {
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL')));
  }

  /** The exit code, once it has ended and all it printed is here. */
  end(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }

  async printed(text: string | RegExp): Promise<void> {
    await until(() => (typeof text === 'string' ? this.stdout.includes(text) : text.test(this.stdout)), this);
  }
}

async function until(condition: () => boolean, run: Run): Promise<void> {
  for (const deadline = Date.now() + 20_000; !condition(); await delay(10)) {
    if (Date.now() > deadline) throw new Error(`It did not come to that:\n${run.stdout}\n${run.stderr}`);
  }
}

const SCRIPT_ENV = { APP_PASSWORD: 'pw-of-app', NOT_SECRET: 'inherited' };

/** Runs `nestjs-vault run … -- node -e program`. */
function start(flags: string[], program: string | string[], env: Record<string, string> = {}): Run {
  const command = typeof program === 'string' ? [process.execPath, '-e', program] : program;
  const given = { PATH: process.env['PATH'], VAULT_ADDR: server.endpoint, ...SCRIPT_ENV, ...env };
  const child = spawn(process.execPath, [BIN, 'run', ...flags, '--', ...command], {
    cwd: folder,
    env: given,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const run = new Run(child);
  running.push(run);
  return run;
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('nestjs-vault run', () => {
  it('gives the values to the command alone, without the way to Vault; passes the exit code on; gives its token back', async () => {
    const run = start(
      ['--config', 'vault.mjs'],
      'console.log(JSON.stringify([process.env, process.argv.slice(1)])); process.exit(7)',
      { VAULT_TOKEN: 'not-passed-on', BAO_NAMESPACE: '' },
    );
    expect([await run.end(), run.stderr]).toEqual([7, '']);
    const [env] = JSON.parse(run.stdout) as [Record<string, string>];
    expect(env).toEqual({
      PATH: process.env['PATH'],
      NOT_SECRET: 'inherited',
      SMTP_PASSWORD: 'hunter2',
      DATABASE_PASSWORD: 'x y',
      DATABASE_MAX_POOL: '5',
    });
    expect(await countTokens()).toBe(tokens);
  });

  it('takes everything from the environment and --sources; a token of the user is not revoked', async () => {
    const run = start(
      ['--sources', 'db', '--prefix', 'DB_', '--pass-vault-env'],
      'console.log(process.env.DB_password, process.env.DB_maxPool, process.env.VAULT_ADDR)',
      { VAULT_TOKEN: server.rootToken },
    );
    expect([await run.end(), run.stdout, run.stderr]).toEqual([0, `x y 5 ${server.endpoint}\n`, '']);
    await server.request('GET', 'auth/token/lookup-self');
  });

  it('holds no token while the command runs, and passes signals on', async () => {
    const run = start(
      ['--config', 'vault.mjs'],
      `for (const name of ['SIGINT', 'SIGHUP', 'SIGUSR2', 'SIGTERM']) process.on(name, () => console.log(name));
      process.on('SIGTERM', () => process.exit(3));
      setInterval(() => {}, 1000);
      console.log('ready');`,
    );
    await run.printed('ready');
    expect(await countTokens()).toBe(tokens);
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR2', 'SIGTERM'] as const) {
      run.child.kill(signal);
      await run.printed(signal);
    }
    expect(await run.end()).toBe(3);
    expect(run.stdout).toBe('ready\nSIGINT\nSIGHUP\nSIGUSR2\nSIGTERM\n');
  });

  it('ends with 128 + n when a signal ends the command', async () => {
    const run = start(['--config', 'vault.mjs'], 'process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000);');
    expect(await run.end()).toBe(137);
  });

  it('takes the command with it when it is killed', async () => {
    const run = start(['--config', 'vault.mjs'], 'console.log(process.pid); setInterval(() => {}, 1000);');
    await run.printed(/\d+\n/);
    const pid = Number(run.stdout);
    expect(runs(pid)).toBe(true);
    run.child.kill('SIGKILL');
    await until(() => !runs(pid), run);
  });

  it('gives up at once when it is interrupted before there is a command, and starts none', async () => {
    const deaf = await startFaultServer('deaf');
    const run = start(['--config', 'vault.mjs'], 'console.log("started")', { VAULT_ADDR: deaf.endpoint });
    await deaf.until(() => deaf.connections > 0);
    run.child.kill('SIGINT');
    expect([await run.end(), run.stdout, run.stderr]).toEqual([130, '', '']);
    await deaf.close();
  });

  it.each([
    [127, ['no-such-command-anywhere'], 'no-such-command-anywhere: command not found.'],
    [126, ['./vault.mjs'], './vault.mjs: cannot be run (EACCES).'],
  ])('ends with %d for a command like %j', async (code, command, message) => {
    const run = start(['--config', 'vault.mjs'], command);
    expect([await run.end(), run.stderr]).toEqual([code, `nestjs-vault: ${message}\n`]);
    expect(await countTokens()).toBe(tokens);
  });

  it('knows its version, and says when Node cannot load a file', async () => {
    const { version } = JSON.parse(await readFile(MANIFEST, 'utf8')) as { version: string };
    const asked = new Run(spawn(process.execPath, [BIN, '--version'], { stdio: ['ignore', 'pipe', 'pipe'] }));
    expect([await asked.end(), asked.stdout, asked.stderr]).toEqual([0, `${version}\n`, '']);
    await writeFile(join(folder, 'options.strange'), '');
    const strange = start(['--config', 'options.strange'], 'console.log("started")');
    expect([await strange.end(), strange.stdout]).toEqual([1, '']);
    expect(strange.stderr).toContain('This version of Node cannot load options.strange');
  });

  it('starts nothing when a secret is missing or cannot be a variable; no value is printed', async () => {
    const missing = start(['--config', 'vault.mjs', '--sources', 'app,gone', '--json'], 'console.log("started")');
    expect([await missing.end(), missing.stdout]).toEqual([1, '']);
    expect(JSON.parse(missing.stderr)).toMatchObject({ level: 'error', code: 'VAULT_CONFIGURATION' });
    const value = canary('value-in-no-message');
    await server.seed({ 'secret/odd': { 'no-name': value, NODE_OPTIONS: value, NUL: `${value}\0` } });
    const odd = start(['--config', 'vault.mjs', '--sources', 'odd'], 'console.log("started")');
    expect([await odd.end(), odd.stdout]).toEqual([1, '']);
    expect(odd.stderr).toMatch(/--allow NODE_OPTIONS[^]*NUL holds[^]*"no-name"/);
    expect(findLeaks(odd.stderr)).toEqual([]);
    expect(await countTokens()).toBe(tokens);
  });
});

describe('nestjs-vault run --watch', () => {
  const PROGRAM = `
    process.on('SIGTERM', () => setTimeout(() => process.exit(0), process.env.SLOW ? 60_000 : 0));
    setInterval(() => {}, 1000);
    console.log(process.pid, process.env.SMTP_PASSWORD);`;

  it('restarts the command when a value has changed, and not when Vault is sealed or nothing has changed', async () => {
    const run = start(['--config', 'vault.mjs', '--watch', '--interval-ms', '50'], PROGRAM);
    await run.printed('hunter2');
    // A new version with the same values is no change.
    await server.seed({ 'secret/app': { SMTP_PASSWORD: 'hunter2' } });
    await server.seal();
    await until(() => run.stderr.includes('keeps running as it is'), run);
    await server.unseal();
    await until(() => run.stderr.includes('can be read again'), run);
    expect(run.stdout.trim().split('\n')).toHaveLength(1);
    await server.seed({ 'secret/app': { SMTP_PASSWORD: 'changed' } });
    await run.printed('changed');
    const [first = '', second = ''] = run.stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
    expect(first).not.toBe(second);
    expect(runs(Number(first))).toBe(false);
    expect(run.stderr).toContain('Changed: SMTP_PASSWORD. The command is restarted.');
    expect(run.stderr).not.toMatch(/hunter2|"changed"/);
    run.child.kill('SIGTERM');
    expect(await run.end()).toBe(0);
    expect(runs(Number(second))).toBe(false);
    expect(await countTokens()).toBe(tokens);
  });

  it('kills a command that does not end in time, and ends with the command when that ends by itself', async () => {
    await server.seed({ 'secret/app': { SMTP_PASSWORD: 'before' } });
    const run = start(['--config', 'vault.mjs', '--watch', '--interval-ms', '50', '--grace-ms', '100'], PROGRAM, {
      SLOW: '1',
    });
    await run.printed('before');
    await server.seed({ 'secret/app': { SMTP_PASSWORD: 'after' } });
    await run.printed('after');
    const pid = Number(run.stdout.split('\n')[1]?.split(' ')[0]);
    process.kill(pid, 'SIGKILL');
    expect(await run.end()).toBe(137);
    expect(await countTokens()).toBe(tokens);
  });
});
