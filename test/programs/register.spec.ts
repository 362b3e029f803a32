import { randomUUID } from 'node:crypto';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { canary, findLeaks, track } from '../support/canary.js';
import type { Run } from '../support/cli-run.js';
import { CliBench, SCRIPT_ENV } from '../support/cli-run.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SMTP = canary('smtp-of-register');
track('app-password', SCRIPT_ENV.APP_PASSWORD);
const WRONG = canary('wrong-password');
const OPTIONS = `{
  auth: { method: 'userpass', username: 'app', password: { env: 'APP_PASSWORD' } },
  config: { sources: [{ secretPath: 'db', as: 'database' }] },
}`;
/** Reads at import, and tells what it has read. */
const READ = `[process.env.SMTP_PASSWORD, process.env.DATABASE_PASSWORD, process.env.URL]`;
const EXPECTED = JSON.stringify([SMTP, 'x y', `smtp://u:${SMTP}@mail`]);

let bench: CliBench;
let folder: string;
let tokens: number;

beforeAll(async () => {
  bench = await CliBench.start();
  await bench.server.seed({
    'secret/app': { SMTP_PASSWORD: SMTP, HOSTILE: 'vault:secret/db#password' },
    'secret/db': { password: 'x y' },
  });
  tokens = await bench.countTokens();
  await mkdir(join(bench.folder, 'node_modules'));
  for (const name of ['@nestjs', '@swc', '@swc-node', 'reflect-metadata', 'rxjs', 'ts-node', 'tsx', 'typescript'])
    await symlink(join(ROOT, 'node_modules', name), join(bench.folder, 'node_modules', name));
  await symlink(ROOT, join(bench.folder, 'node_modules', 'nestjs-vault'));
});
beforeEach(async () => {
  folder = join(bench.folder, randomUUID());
  await mkdir(folder);
  await write('.env', `VAULT_ADDR=${bench.server.endpoint}\nSMTP_PASSWORD=vault:secret/app#SMTP_PASSWORD\n`);
  await write('nestjs-vault.config.mjs', `export default ${OPTIONS};`);
  await write('package.json', '{}');
  await write(
    'tsconfig.json',
    '{ "compilerOptions": { "module": "CommonJS", "moduleResolution": "Bundler", "ignoreDeprecations": "6.0", "target": "ES2022", "experimentalDecorators": true, "emitDecoratorMetadata": true, "types": ["node"] }, "ts-node": { "transpileOnly": true } }',
  );
});
afterEach(async () => {
  bench.clear();
  await rm(folder, { recursive: true, force: true });
});
afterAll(() => bench.stop());

const write = (name: string, content: string): Promise<void> => writeFile(join(folder, name), content);
const node = (args: string[], env: NodeJS.ProcessEnv = {}): Run =>
  bench.spawn(
    [process.execPath, ...args],
    { VAULT_ADDR: undefined, URL: 'smtp://u:${vault:secret/app#SMTP_PASSWORD}@mail', ...env },
    folder,
  );
const REGISTER = 'nestjs-vault/register';

describe('values before any application code', () => {
  const decorator = `enum Kind { A = 'a' }
    const seen: unknown[] = [];
    const note = (value: unknown): ClassDecorator => () => void seen.push(value);
    @note(${READ}) class Entity { constructor(readonly kind: Kind) {} }
    console.log(JSON.stringify(seen[0]), Entity.length);`;

  it.each<[string, string, string, string[], NodeJS.ProcessEnv]>([
    [
      'an ES module',
      'main.mjs',
      `const at = ${READ}; console.log(JSON.stringify(at));`,
      ['--import', REGISTER, 'main.mjs'],
      {},
    ],
    ['CommonJS', 'main.cjs', `console.log(JSON.stringify(${READ}));`, ['--import', REGISTER, 'main.cjs'], {}],
    [
      'CommonJS by --require',
      'main.cjs',
      `console.log(JSON.stringify(${READ}));`,
      ['--require', REGISTER, 'main.cjs'],
      {},
    ],
    [
      'NODE_OPTIONS',
      'main.mjs',
      `console.log(JSON.stringify(${READ}));`,
      ['main.mjs'],
      { NODE_OPTIONS: `--import ${REGISTER}` },
    ],
    ['the first import', 'main.mjs', `import '${REGISTER}'; import './other.mjs';`, ['main.mjs'], {}],
    ['tsx', 'main.ts', decorator, ['--import', 'tsx', '--import', REGISTER, 'main.ts'], {}],
    ['ts-node', 'main.ts', decorator, ['--require', REGISTER, '--require', 'ts-node/register', 'main.ts'], {}],
    ['SWC', 'main.ts', decorator, ['--require', REGISTER, '--require', '@swc-node/register', 'main.ts'], {}],
  ])('has references and sources in process.env: %s', async (_how, name, program, args, env) => {
    await write('other.mjs', `console.log(JSON.stringify(${READ}));`);
    await write(name, program);
    const run = node(args, env);
    expect([await run.end(), run.stderr]).toEqual([0, '']);
    expect(run.stdout).toContain(EXPECTED);
    // Nothing takes the login over: its token is revoked before the process ends.
    expect(await bench.countTokens()).toBe(tokens);
  });

  it('leaves child processes, workers and launchers alone: one login for all', async () => {
    await write('child.cjs', `console.log('child', JSON.stringify(${READ}));`);
    await write(
      'main.cjs',
      `const { execFileSync, fork } = require('node:child_process');
      const { Worker } = require('node:worker_threads');
      console.log(execFileSync(process.execPath, ['child.cjs'], { encoding: 'utf8' }));
      fork('child.cjs').on('exit', () => new Worker('./child.cjs'));`,
    );
    await mkdir(join(folder, 'node_modules/@nestjs/cli/bin'), { recursive: true });
    await write(
      'node_modules/@nestjs/cli/bin/nest.js',
      `console.log('launcher', process.env.DATABASE_PASSWORD);
      require('node:child_process').spawn(process.execPath, ['main.cjs'], { stdio: 'inherit' });`,
    );
    const run = node(['node_modules/@nestjs/cli/bin/nest.js'], { NODE_OPTIONS: `--import ${REGISTER}` });
    expect([await run.end(), run.stderr]).toEqual([0, '']);
    expect(run.stdout).toContain('launcher undefined');
    expect(run.stdout.split(`child ${EXPECTED}`)).toHaveLength(4);
    expect(await bench.countTokens()).toBe(tokens);
  });

  it('does nothing where there is nothing to resolve, and refuses references without a configuration', async () => {
    await rm(join(folder, '.env'));
    await rm(join(folder, 'nestjs-vault.config.mjs'));
    const idle = node(['--import', REGISTER, '-e', 'console.log(process.env.NESTJS_VAULT_RESOLVED_BY)'], {
      URL: undefined,
    });
    expect([await idle.end(), idle.stdout, idle.stderr]).toEqual([0, 'undefined\n', '']);
    const refused = node(['--import', REGISTER, '-e', 'console.log("started")']);
    expect([await refused.end(), refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toMatch(/VAULT_ADDR[^]*nestjs-vault\.config\.mjs/);
  });
});

it('shows no token to an inspector of the process', async () => {
  await write(
    'main.cjs',
    `const session = globalThis[Symbol.for('nestjs-vault:registered-session')];
    console.log(require('node:util').inspect(session, { depth: Infinity, showHidden: true, getters: true }));
    console.log(session.takeLogin().token);`,
  );
  const run = node(['--import', REGISTER, 'main.cjs']);
  expect([await run.end(), run.stderr]).toEqual([0, '']);
  const lines = run.stdout.trim().split('\n');
  const token = lines.pop() as string;
  expect(token).toMatch(/^s\./);
  expect(lines.join('\n')).not.toContain(token);
  expect(lines.join('\n')).toContain('identity');
  // Whoever takes the login over revokes it.
  expect(await bench.countTokens()).toBe(tokens + 1);
  await bench.server.request('POST', 'auth/token/revoke', { token });
});

describe('failures', () => {
  it.each<[string, string, RegExp]>([
    ['a denied secret', `{ ...${OPTIONS}, config: { sources: ['none'] } }`, /none/],
    [
      'a login that fails',
      `{ ...${OPTIONS}, auth: { method: 'userpass', username: 'app', password: '${WRONG}' } }`,
      /userpass/,
    ],
    ['a value that looks like a reference', `{ ...${OPTIONS}, config: { sources: ['app'] } }`, /HOSTILE/],
    [
      'a file of options that throws',
      `(() => { throw new Error('no ' + process.env.APP_PASSWORD); })()`,
      /nestjs-vault\.config\.mjs/,
    ],
    ['a file of options that never ends', `new Promise(() => {})`, /never comes/],
    ['a file of options that ends the process', `process.exit(0)`, /ends/],
  ])('end the process with 1 before the application is loaded: %s', async (_what, options, message) => {
    await write('nestjs-vault.config.mjs', `export default ${options};`);
    const run = node(['--import', REGISTER, '-e', 'console.log("started")']);
    expect([await run.end(), run.stdout]).toEqual([1, '']);
    expect(run.stderr).toMatch(message);
    expect(run.stderr).not.toMatch(/^\s+at /m);
    expect(findLeaks(run.stdout + run.stderr)).toEqual([]);
    expect(await bench.countTokens()).toBe(tokens);
  });
});

describe('an application with VaultModule', () => {
  const program = (format: 'esm' | 'cjs', auth: string): string => {
    const load = (names: string, from: string): string =>
      format === 'esm' ? `import { ${names} } from '${from}';` : `const { ${names} } = require('${from}');`;
    return `${format === 'esm' ? "import 'reflect-metadata';" : "require('reflect-metadata');"}
      ${load('Module', '@nestjs/common')} ${load('NestFactory', '@nestjs/core')}
      ${load('ConfigModule, ConfigService, registerAs', '@nestjs/config')} ${load('VaultModule, VaultService', 'nestjs-vault')}
      const mail = registerAs('mail', () => ({ password: process.env.SMTP_PASSWORD }));
      const atImport = mail().password;
      class App {}
      Module({ imports: [
        ConfigModule.forRoot({ isGlobal: true, load: [mail] }),
        VaultModule.forRoot({ ${auth} config: { sources: [{ secretPath: 'db', as: 'database' }] } }),
      ] })(App);
      NestFactory.createApplicationContext(App, { logger: false, abortOnError: false }).then(async (app) => {
        const config = app.get(ConfigService);
        const vault = app.get(VaultService);
        console.log(JSON.stringify({ atImport, later: config.get('mail.password'), db: config.get('database.password'),
          own: config.get('SMTP_PASSWORD'), origin: vault.explain('SMTP_PASSWORD')?.secretPath }));
        console.log('open');
        await new Promise((resolve) => process.stdin.once('data', resolve));
        process.stdin.destroy();
        await app.close();
        console.log('closed');
      });`;
  };
  const SAME = `auth: { method: 'userpass', username: 'app', password: { env: 'APP_PASSWORD' } },`;

  it.each<['esm' | 'cjs', string, number]>([
    ['esm', SAME, 1],
    ['cjs', SAME, 1],
    ['esm', `auth: { method: 'userpass', username: () => 'app', password: { env: 'APP_PASSWORD' } },`, 2],
  ])('%s: takes the login over, revokes it once, and knows its references (%s)', async (format, auth, expected) => {
    const name = format === 'esm' ? 'main.mjs' : 'main.cjs';
    await write(name, program(format, auth));
    const run = node(['--import', REGISTER, name]);
    await run.printed('open');
    expect(JSON.parse(run.stdout.split('\n')[0] ?? '')).toEqual({
      atImport: SMTP,
      later: SMTP,
      db: 'x y',
      own: SMTP,
      origin: 'app',
    });
    expect(await bench.countTokens()).toBe(tokens + expected);
    run.child.stdin.end('x');
    expect([await run.end(), run.stderr]).toEqual([0, '']);
    expect(run.stdout).toContain('closed');
    expect(await bench.countTokens()).toBe(tokens);
  });
});
