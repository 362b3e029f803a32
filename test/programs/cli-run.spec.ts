import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { canary, findLeaks } from '../support/canary.js';
import { CliBench, runs, SCRIPT_ENV } from '../support/cli-run.js';
import { forwardTo, startFaultServer } from '../support/fault-server.js';

const MANIFEST = fileURLToPath(new URL('../../package.json', import.meta.url));
/** Nobody else on this machine has it among the arguments of a process. */
const SMTP = `smtp-${randomUUID()}`;
const PEM = '-----BEGIN KEY-----\nx=\n-----END KEY-----\n';

let bench: CliBench;
let tokens: number;

beforeAll(async () => {
  bench = await CliBench.start();
  await bench.server.seed({
    'secret/app': { SMTP_PASSWORD: SMTP },
    'secret/db': { password: 'x y', maxPool: 5 },
    'secret/tls': { PEM },
  });
  tokens = await bench.countTokens();
});
afterEach(() => bench.clear());
afterAll(() => bench.stop());

describe('nestjs-vault run: environment of the command', () => {
  it('run passes values to the command only, withholds VAULT_*, returns the exit code and revokes its token', async () => {
    const run = bench.run(
      ['--config', 'vault.mjs'],
      'console.log(JSON.stringify([process.env, process.argv.slice(1)])); process.exit(7)',
      { VAULT_TOKEN: 'not-passed-on', BAO_NAMESPACE: '' },
    );
    expect([await run.end(), run.stderr]).toEqual([7, '']);
    const [env] = JSON.parse(run.stdout) as [Record<string, string>];
    expect(env).toEqual({
      PATH: process.env['PATH'],
      NOT_SECRET: 'inherited',
      SMTP_PASSWORD: SMTP,
      DATABASE_PASSWORD: 'x y',
      DATABASE_MAX_POOL: '5',
      NESTJS_VAULT_RESOLVED_BY: `run:${join(bench.folder, 'vault.mjs')}`,
    });
    expect(await bench.countTokens()).toBe(tokens);
  });

  it('run reads the environment and --sources, and does not revoke a supplied token', async () => {
    const run = bench.run(
      ['--sources', 'db', '--sources', 'tls', '--prefix', 'DB_', '--pass-vault-env'],
      'console.log(process.env.DB_password, process.env.DB_maxPool, process.env.VAULT_ADDR, process.env.DB_PEM)',
      { VAULT_TOKEN: bench.server.rootToken },
    );
    expect([await run.end(), run.stdout, run.stderr]).toEqual([0, `x y 5 ${bench.server.endpoint} ${PEM}\n`, '']);
    await bench.server.request('GET', 'auth/token/lookup-self');
  });

  it('run sends every request below the path prefix of VAULT_ADDR', async () => {
    const gateway = await startFaultServer(forwardTo(bench.server.endpoint, { prefix: '/vault' }));
    try {
      const run = bench.run(['--config', 'vault.mjs'], 'console.log(process.env.SMTP_PASSWORD)', {
        VAULT_ADDR: `${gateway.endpoint}/vault`,
      });
      expect([await run.end(), run.stdout, run.stderr]).toEqual([0, `${SMTP}\n`, '']);
      expect(gateway.requests.filter(({ url }) => !url.startsWith('/vault/v1/'))).toEqual([]);
      expect(await bench.countTokens()).toBe(tokens);
    } finally {
      await gateway.close();
    }
  });

  it('run resolves references in variables, and fails when there is nothing to read', async () => {
    const env = { VAULT_TOKEN: bench.server.rootToken };
    const run = bench.run([], 'console.log(process.env.DB_URL)', {
      ...env,
      DB_URL: 'postgres://u:${vault:secret/data/app#SMTP_PASSWORD}@db',
    });
    expect([await run.end(), run.stdout, run.stderr]).toEqual([0, `postgres://u:${SMTP}@db\n`, '']);
    const nothing = bench.run([], 'console.log("started")', env);
    expect([await nothing.end(), nothing.stdout]).toEqual([1, '']);
    expect(nothing.stderr).toContain('Nothing to read');
  });

  it('run removes references from the environment', async () => {
    const env = {
      VAULT_TOKEN: bench.server.rootToken,
      SMTP: 'vault:secret/data/app#SMTP_PASSWORD',
      OMITTED: 'vault:secret/data/app#SMTP_PASSWORD',
      npm_lifecycle_event: 'vault:dev',
    };
    const print = 'console.log(JSON.stringify([process.env.SMTP, process.env.OMITTED, process.env.APP_SMTP]))';
    const run = bench.run(['--prefix', 'APP_', '--omit', 'APP_OMITTED', '--pass-vault-env'], print, env);
    expect([await run.end(), run.stderr, JSON.parse(run.stdout)]).toEqual([0, '', [null, null, SMTP]]);
  });

  it('run rejects a reference inside a longer text and names its variable', async () => {
    const run = bench.run([], 'console.log("started")', {
      VAULT_TOKEN: bench.server.rootToken,
      SMTP: 'vault:secret/data/app#SMTP_PASSWORD',
      SMTP_URL: 'smtp://u:vault:secret/data/app#SMTP_PASSWORD@mail',
    });
    expect([await run.end(), run.stdout]).toEqual([1, '']);
    expect(run.stderr).toContain('SMTP_URL refers to vault:secret/data/app#SMTP_PASSWORD');
  });

  it.each(['vault:secret/data/admin#key', 'https://x/?${vault:secret/data/admin#key}', '" vault:admin'])(
    'refuses a value that the command would take for a reference: %s',
    async (WEBHOOK) => {
      await bench.server.seed({ 'secret/low': { WEBHOOK, nested: { list: ['${vault:secret/data/admin#key}'] } } });
      const env = { VAULT_TOKEN: bench.server.rootToken };
      const run = bench.run(['--sources', 'low'], 'console.log("started")', env);
      expect([await run.end(), run.stdout]).toEqual([1, '']);
      expect(run.stderr).toMatch(/WEBHOOK holds a value .*--omit WEBHOOK.*\n.*NESTED_LIST holds a value/);
      expect(run.stderr).not.toContain('admin');
      const without = ['--sources', 'low', '--omit', 'WEBHOOK', '--omit', 'NESTED_LIST'];
      const omitted = bench.run(without, 'console.log(process.env.WEBHOOK)', env);
      expect([await omitted.end(), omitted.stdout]).toEqual([0, 'undefined\n']);
      const allowed = bench.run(['--sources', 'low', '--allow', 'WEBHOOK'], 'console.log("started")', env);
      expect([await allowed.end(), allowed.stdout]).toEqual([1, '']);
    },
  );

  it('run passes no rounded number', async () => {
    const headers = { 'x-vault-token': bench.server.rootToken };
    const body = '{"data":{"CHAT_ID":-1001234567890123456}}';
    await fetch(`${bench.server.endpoint}/v1/secret/data/chat`, { method: 'POST', headers, body });
    const env = { VAULT_TOKEN: bench.server.rootToken };
    const run = bench.run(['--sources', 'chat'], 'console.log(process.env.CHAT_ID)', env);
    expect([await run.end(), run.stdout]).toEqual([1, '']);
    expect(run.stderr).toContain('"CHAT_ID"');
    expect(run.stderr).not.toContain('100123456789');
  });

  it('run forwards standard input, keeps files while the command runs, and hides values from the process list', async () => {
    await bench.write(
      'files.mjs',
      `import options from './vault.mjs';
      export default options().then((all) => ({ ...all, config: { sources: [{ secretPath: 'tls', files: ['PEM'] }, 'app'] } }));`,
    );
    const run = bench.run(
      ['--config', 'files.mjs'],
      `const { readFileSync } = require('node:fs');
      const { PEM_FILE } = process.env;
      console.log(JSON.stringify([process.pid, process.ppid, PEM_FILE, readFileSync(PEM_FILE, 'utf8')]));
      process.stdin.pipe(process.stdout);`,
    );
    await run.printed('\n');
    const [pid, ppid, file, content] = JSON.parse(run.stdout) as [number, number, string, string];
    expect([ppid, content]).toEqual([run.child.pid, PEM]);
    const list = bench.spawn(['ps', '-eo', 'pid,ppid,args']);
    await list.end();
    // The command, and what ends it when we are killed.
    expect(list.stdout.match(new RegExp(`^ *\\d+ +${ppid} `, 'gm'))).toHaveLength(2);
    expect(list.stdout).toContain(`${pid}`);
    expect(list.stdout).not.toContain(SMTP);
    expect(list.stdout).not.toContain(SCRIPT_ENV.APP_PASSWORD);
    run.child.stdin.end('typed');
    expect([await run.end(), run.stdout.endsWith('typed'), existsSync(file)]).toEqual([0, true, false]);
  });
});

describe('nestjs-vault run: options and credentials', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cli-run-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const write = (name: string, content: string): Promise<void> => writeFile(join(folder, name), content);
  const printApp = 'console.log(JSON.stringify([process.env.SMTP_PASSWORD, process.env.PLAIN, process.env.ROLE]))';

  async function approle(): Promise<{ roleId: string; secretId: string }> {
    await bench.server.request('POST', 'sys/auth/approle', { type: 'approle' }).catch(() => undefined);
    await bench.server.request('POST', 'auth/approle/role/app', { token_policies: ['app'] });
    const role = await bench.server.request('GET', 'auth/approle/role/app/role-id');
    const secret = await bench.server.request('POST', 'auth/approle/role/app/secret-id', {});
    return {
      roleId: (role.body as { data: { role_id: string } }).data.role_id,
      secretId: (secret.body as { data: { secret_id: string } }).data.secret_id,
    };
  }

  it.each(['VAULT', 'BAO'])(
    'logs in by AppRole with %s_ROLE_ID and _SECRET_ID of .env, passes neither .env nor credentials on, and revokes its token',
    async (prefix) => {
      const { roleId, secretId } = await approle();
      const lines = [
        `${prefix}_ADDR=${bench.server.endpoint}`,
        `${prefix}_ROLE_ID=${roleId}`,
        `${prefix}_SECRET_ID=${secretId}`,
      ];
      await write('.env', [...lines, 'PLAIN=x', 'SMTP_PASSWORD=vault:secret/app#SMTP_PASSWORD', ''].join('\n'));
      const count = await bench.countTokens();
      const run = bench.run(
        [],
        `${printApp}; console.log(JSON.stringify(process.env))`,
        { VAULT_ADDR: undefined },
        folder,
      );
      expect([await run.end(), run.stderr]).toEqual([0, '']);
      expect(run.stdout.split('\n')[0]).toBe(JSON.stringify([SMTP, null, null]));
      expect(run.stdout).not.toContain(secretId);
      expect(await bench.countTokens()).toBe(count);
    },
  );

  it('run prefers process.env to .env, also for the options file', async () => {
    await write('.env', `VAULT_ADDR=http://127.0.0.1:1\nUSER_NAME=app\n`);
    await write(
      'nestjs-vault.config.mjs',
      `export default () => ({
        auth: { method: 'userpass', username: process.env.USER_NAME, password: { env: 'APP_PASSWORD' } },
        config: { sources: ['app'] },
      });`,
    );
    const run = bench.run([], printApp, {}, folder);
    expect([await run.end(), run.stdout]).toEqual([0, `${JSON.stringify([SMTP, null, null])}\n`]);
    // It was not named, so it is.
    expect(run.stderr).toContain('nestjs-vault.config.mjs');
  });

  it('run names its options file when no login method is configured', async () => {
    const run = bench.run(['--sources', 'app'], printApp, {}, folder);
    expect([await run.end(), run.stdout]).toEqual([1, '']);
    expect(run.stderr).toMatch(/nestjs-vault\.config\.mjs/);
    expect(run.stderr).toMatch(/VAULT_ROLE_ID/);
    expect(run.stderr).not.toMatch(/VaultModule/);
  });

  it.each<[string, Record<string, string>]>([
    ['endpoint', {}],
    ['login', { ENDPOINT: '1' }],
  ])('error of an application advises --pass-vault-env when its %s is withheld', async (_what, env) => {
    const program = `
      require('reflect-metadata');
      const { Module } = require('@nestjs/common');
      const { NestFactory } = require('@nestjs/core');
      const { VaultModule } = require(${JSON.stringify(fileURLToPath(new URL('../../dist/cjs/index.js', import.meta.url)))});
      const endpoint = process.env.ENDPOINT && ${JSON.stringify(bench.server.endpoint)};
      class App {}
      Module({ imports: [VaultModule.forRoot({ ...(endpoint && { endpoint }), config: { sources: ['app'] } })] })(App);
      NestFactory.createApplicationContext(App, { logger: false, abortOnError: false })
        .then((app) => app.close().then(() => console.log('booted')), (error) => console.log(error.message));`;
    const given = {
      ...env,
      VAULT_TOKEN: bench.server.rootToken,
      NODE_PATH: fileURLToPath(new URL('../../node_modules', import.meta.url)),
    };
    const run = bench.run(['--sources', 'app'], program, given, folder);
    expect([await run.end(), run.stderr]).toEqual([0, '']);
    expect(run.stdout).toContain('--pass-vault-env');
    const passed = bench.run(['--sources', 'app', '--pass-vault-env'], program, given, folder);
    expect([await passed.end(), passed.stdout]).toEqual([0, 'booted\n']);
  });
});

describe('nestjs-vault run: signals and exit codes', () => {
  it('run holds no token while the command runs, and forwards every signal', async () => {
    const signals = ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTERM'] as const;
    const run = bench.run(
      ['--config', 'vault.mjs'],
      `let terms = 0;
      for (const name of ${JSON.stringify(signals)}) process.on(name, () => console.log(name));
      process.on('SIGTERM', () => ++terms > 1 && process.exit(3));
      setInterval(() => {}, 1000);
      console.log('ready');`,
    );
    await run.printed('ready');
    expect(await bench.countTokens()).toBe(tokens);
    for (const signal of signals) {
      run.child.kill(signal);
      await run.printed(signal);
      run.child.kill(signal);
      await run.printed(new RegExp(`${signal}\n${signal}`));
    }
    expect([await run.end(), run.stderr]).toEqual([3, '']);
    expect(run.stdout).toBe(`ready\n${signals.flatMap((name) => [name, name]).join('\n')}\n`);
  });

  // Of the means to get a terminal, only the one of util-linux is everywhere.
  (process.platform === 'linux' ? it : it.skip)('run does not forward Ctrl-C that the terminal has sent', async () => {
    await bench.write(
      'ask.cjs',
      `process.on('SIGINT', () => console.log('once'));
      process.stdin.on('data', () => process.exit(4));
      console.log('ready', process.stdin.isTTY);`,
    );
    const words = ['exec', ...CliBench.program, 'run', '--config', 'vault.mjs', '--', process.execPath, 'ask.cjs'];
    const run = bench.spawn(['script', '-qec', words.join(' '), '/dev/null']);
    await run.printed('ready true');
    run.child.stdin.write('\x03');
    await run.printed('once');
    run.child.stdin.write('now it can read the terminal\n');
    expect(await run.end()).toBe(4);
    expect(run.stdout.match(/once/g)).toHaveLength(1);
  });

  it('run ends child processes of shells and npm, and waits for them', async () => {
    const program = `process.on('SIGTERM', () => console.log('asked') || setTimeout(() => console.log('done') || process.exit(), 100));
      setInterval(() => {}, 1000); console.log('ready');`;
    const run = bench.run(['--config', 'vault.mjs'], ['sh', '-c', '"$0" -e "$1"; true', process.execPath, program]);
    await run.printed('ready');
    run.child.kill('SIGTERM');
    expect([await run.end(), run.stdout]).toEqual([143, 'ready\nasked\ndone\n']);
  });

  it('run exits with 128 + n when a signal ends the command', async () => {
    const run = bench.run(
      ['--config', 'vault.mjs'],
      'process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000);',
    );
    expect(await run.end()).toBe(137);
  });

  it('run ends the command and its child processes when it is killed', async () => {
    const program = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log(process.pid)';
    const run = bench.run(
      ['--config', 'vault.mjs', '--grace-ms', '1'],
      ['sh', '-c', '"$0" -e "$1"; true', process.execPath, program],
    );
    await run.printed(/\d+\n/);
    const pid = Number(run.stdout);
    expect(runs(pid)).toBe(true);
    run.child.kill('SIGKILL');
    await run.until(() => !runs(pid));
  });

  it('run exits at once and starts no command when interrupted during the boot', async () => {
    const deaf = await startFaultServer('deaf');
    const run = bench.run(['--config', 'vault.mjs'], 'console.log("started")', { VAULT_ADDR: deaf.endpoint });
    await deaf.until(() => deaf.connections > 0);
    run.child.kill('SIGINT');
    expect([await run.end(), run.stdout, run.stderr]).toEqual([130, '', '']);
    await deaf.close();
  });

  it('run is not blocked by an options file that waits or leaves a connection open', async () => {
    await bench.write('waits.mjs', 'setInterval(() => {}, 1000); console.log("waits"); await new Promise(() => {});');
    const waits = bench.run(['--config', 'waits.mjs'], 'console.log("started")');
    await waits.printed('waits');
    waits.child.kill('SIGTERM');
    expect([await waits.end(), waits.stdout, waits.stderr]).toEqual([143, 'waits\n', '']);
    await bench.write('open.mjs', `setInterval(() => {}, 1000); export { default } from './vault.mjs';`);
    expect(await bench.run(['--config', 'open.mjs'], 'process.exit(5)').end()).toBe(5);
  });

  it.each([
    [127, ['no-such-command-anywhere'], 'no-such-command-anywhere: command not found.'],
    [126, ['./vault.mjs'], './vault.mjs: cannot be run (EACCES).'],
    [126, ['./vault.mjs/x'], './vault.mjs/x: cannot be run (ENOTDIR).'],
  ])('run exits with %d for the command %j', async (code, command, message) => {
    const run = bench.run(['--config', 'vault.mjs'], command);
    expect([await run.end(), run.stderr]).toEqual([code, `nestjs-vault: ${message}\n`]);
    expect(await bench.countTokens()).toBe(tokens);
  });
});

describe('nestjs-vault run: errors', () => {
  it.each([
    ['a promise', 'export default new Promise(() => {});'],
    ['the file itself', 'await new Promise(() => {}); export default {};'],
  ])('run reports options that never settle: %s', async (_, content) => {
    await bench.write('never.mjs', content);
    const run = bench.run(['--config', 'never.mjs'], 'console.log("started")');
    expect([await run.end(), run.stdout]).toEqual([1, '']);
    expect(run.stderr).toContain('nestjs-vault: The file of options waits for something that never comes');
  });

  it('run returns exit code 13 of the command', async () => {
    const run = bench.run(['--config', 'vault.mjs'], 'process.exit(13)');
    expect([await run.end(), run.stderr]).toEqual([13, '']);
  });

  it('run reports an options file that Node cannot load; --version prints the version', async () => {
    const { version } = JSON.parse(await readFile(MANIFEST, 'utf8')) as { version: string };
    const asked = bench.spawn([...CliBench.program, '--version']);
    expect([await asked.end(), asked.stdout, asked.stderr]).toEqual([0, `${version}\n`, '']);
    await bench.write('options.strange', '');
    const strange = bench.run(['--config', 'options.strange'], 'console.log("started")');
    expect([await strange.end(), strange.stdout]).toEqual([1, '']);
    expect(strange.stderr).toContain('This version of Node cannot load options.strange');
  });

  it('run finds the options file in the working directory, JavaScript before TypeScript', async () => {
    const folder = join(bench.folder, 'project');
    await mkdir(folder);
    await bench.write('project/nestjs-vault.config.ts', 'this is no program');
    await bench.write(
      'project/nestjs-vault.config.cjs',
      `module.exports = { auth: { method: 'userpass', username: 'app', password: { env: 'APP_PASSWORD' } }, config: { sources: ['app'] } };`,
    );
    const run = bench.run([], 'console.log(process.env.SMTP_PASSWORD)', {}, folder);
    expect([await run.end(), run.stdout]).toEqual([0, `${SMTP}\n`]);
    expect(run.stderr).toContain('nestjs-vault.config.cjs');
    // As `npm init` writes it.
    await bench.write('project/package.json', '{ "type": "commonjs" }');
    await bench.write('project/nestjs-vault.config.js', 'export default {};');
    const confused = bench.run([], 'console.log("started")', {}, folder);
    expect([await confused.end(), confused.stdout]).toEqual([1, '']);
    expect(confused.stderr).toContain('it is CommonJS: name it nestjs-vault.config.mjs, or use module.exports');
  });

  it('run starts no command when a secret is missing or cannot be a variable', async () => {
    const missing = bench.run(['--config', 'vault.mjs', '--sources', 'app,gone', '--json'], 'console.log("started")');
    expect([await missing.end(), missing.stdout]).toEqual([1, '']);
    expect(JSON.parse(missing.stderr)).toMatchObject({ level: 'error', code: 'VAULT_CONFIGURATION' });
    const value = canary('value-in-no-message');
    await bench.server.seed({ 'secret/odd': { 'no-name': value, NODE_OPTIONS: value, NUL: `${value}\0` } });
    const odd = bench.run(['--config', 'vault.mjs', '--sources', 'odd'], 'console.log("started")');
    expect([await odd.end(), odd.stdout]).toEqual([1, '']);
    expect(odd.stderr).toMatch(/--allow NODE_OPTIONS[^]*NUL holds[^]*"no-name"/);
    expect(findLeaks(odd.stderr)).toEqual([]);
    expect(await bench.countTokens()).toBe(tokens);
  });

  it('run names the largest values when the environment is too large', async () => {
    const value = canary('large-value');
    await bench.server.seed({ 'secret/large': { HUGE: value.repeat(3_000_000 / value.length), SMALL: value } });
    const run = bench.run(['--config', 'vault.mjs', '--sources', 'large'], 'console.log("started")');
    expect([await run.end(), run.stdout]).toEqual([126, '']);
    expect(run.stderr).toMatch(/E2BIG.*: 3\d{3} kB, most of it in HUGE \((2999|3000) kB\)/);
    expect(findLeaks(run.stderr)).toEqual([]);
    const small = bench.run(
      ['--config', 'vault.mjs', '--sources', 'large', '--omit', 'HUGE'],
      'console.log(process.env.SMALL, process.env.HUGE)',
    );
    expect([await small.end(), small.stdout]).toEqual([0, `${value} undefined\n`]);
  });

  it('run omits the names in --omit, whatever the options export', async () => {
    await bench.write(
      'export.mjs',
      `import options from './vault.mjs';
      export default options().then((all) => ({ ...all, config: { sources: ['small'], exportToProcessEnv: true } }));`,
    );
    await bench.server.seed({ 'secret/small': { KEPT: 'kept', LEFT: 'left' } });
    const run = bench.run(
      ['--config', 'export.mjs', '--omit', 'LEFT'],
      'console.log(process.env.KEPT, process.env.LEFT)',
    );
    expect([await run.end(), run.stdout, run.stderr]).toEqual([0, 'kept undefined\n', '']);
    const wrong = bench.run(['--config', 'export.mjs', '--omit', 'left'], 'console.log(process.env.LEFT)');
    expect([await wrong.end(), wrong.stdout]).toEqual([0, 'left\n']);
    expect(wrong.stderr).toMatch(/^nestjs-vault: --omit left leaves nothing out: [^\n]*\n$/);
  });
});
