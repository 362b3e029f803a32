import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Packages that Nest loads only where they are installed: a bundle of any Nest application names them as external. */
const OF_NEST = [
  '@nestjs/microservices',
  '@nestjs/websockets',
  '@nestjs/platform-express',
  'class-transformer',
  'class-validator',
];
/** Loads undici and the errors without a server: nothing listens on port 1. */
const APPLICATION = `
  import 'reflect-metadata';
  import { loadVaultConfig, VaultNotFoundError } from 'nestjs-vault';
  const options = { endpoint: 'http://127.0.0.1:1', request: { retries: 0 }, boot: { timeoutMs: 5000 }, config: { sources: ['app'] } };
  loadVaultConfig({ ...options, auth: { method: 'token', token: 'x'.repeat(20) } }).catch((error) =>
    console.log(error.code, error.name, String(error).includes('ECONNREFUSED'), VaultNotFoundError.name));`;

/** What esbuild leaves to the user for ES modules that hold CommonJS packages. */
const REQUIRE = '--banner:js=import * as node from "node:module"; const require = node.createRequire(import.meta.url);';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nestjs-vault-bundlers-'));
  const modules = join(folder, 'app/node_modules');
  await mkdir(join(modules, 'nestjs-vault'), { recursive: true });
  await mkdir(join(folder, 'empty'));
  // Copied, so that the optional packages of this repository are not found.
  await cp(join(ROOT, 'dist'), join(modules, 'nestjs-vault/dist'), { recursive: true });
  await cp(join(ROOT, 'package.json'), join(modules, 'nestjs-vault/package.json'));
  for (const name of ['@nestjs', 'reflect-metadata', 'rxjs', 'undici', 'node-vault']) {
    await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  }
  await writeFile(join(folder, 'app/main.mjs'), APPLICATION);
  const required = APPLICATION.replace(/import '(.*)'/, "require('$1')").replace(
    /import (.*) from '(.*)'/,
    "const $1 = require('$2')",
  );
  await writeFile(join(folder, 'app/main.cjs'), required);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.each([
  ['ES modules into cjs', 'main.mjs', ['--format=cjs']],
  ['ES modules into cjs, minified', 'main.mjs', ['--format=cjs', '--minify']],
  ['ES modules into chunks', 'main.mjs', ['--format=esm', '--splitting', '--out-extension:.js=.mjs', REQUIRE]],
  ['CommonJS, minified', 'main.cjs', ['--format=cjs', '--minify']],
])(
  'esbuild makes a bundle that runs from an empty folder: %s',
  async (name, main, flags) => {
    const out = join(folder, 'empty', name.replace(/\W/g, '-'));
    const external = OF_NEST.map((other) => `--external:${other}`);
    const args = [main, '--bundle', '--platform=node', `--outdir=${out}`, '--log-level=error', ...flags, ...external];
    await execute(join(ROOT, 'node_modules/.bin/esbuild'), args, { cwd: join(folder, 'app') });
    const file = join(out, flags.includes('--splitting') ? 'main.mjs' : 'main.js');
    const { stdout } = await execute(process.execPath, [file], { cwd: out });
    expect(stdout.trim()).toMatch(/^VAULT_\w+ Vault\w+Error true VaultNotFoundError$/);
  },
  120_000,
);
