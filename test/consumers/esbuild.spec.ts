import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Project } from '../support/bundle-bench.js';
import { BundleBench, REFUSED, REPORT, WRONG_NAMESPACE } from '../support/bundle-bench.js';

const ESBUILD = fileURLToPath(new URL('../../node_modules/.bin/esbuild', import.meta.url));
/** Packages that Nest loads only where they are installed: a bundle of any Nest application names them as external. */
const OF_NEST = ['@nestjs/microservices', '@nestjs/websockets', 'class-transformer', 'class-validator'];
/** Not in the folder of Nest 11, and not used by an application without HTTP. */
const OF_HTTP = '@nestjs/platform-express';
/** Loads undici and the errors without a server: nothing listens on port 1. */
const SCRIPT = `
  import 'reflect-metadata';
  import { loadVaultConfig, VaultNotFoundError } from 'nestjs-vault';
  const options = { endpoint: 'http://127.0.0.1:1', request: { retries: 0 }, boot: { timeoutMs: 500 }, config: { sources: ['app'] } };
  loadVaultConfig({ ...options, auth: { method: 'token', token: 'x'.repeat(20) } }).catch((error) =>
    console.log(error.code, error.name, String(error).includes('ECONNREFUSED'), VaultNotFoundError.name));`;

/** What esbuild leaves to the user for ES modules that hold CommonJS packages; docs/outside-nest.md has it. */
const REQUIRE =
  '--banner:js=import { createRequire as nodeRequire } from "node:module"; const require = nodeRequire(import.meta.url);';
const ESM = ['--format=esm', '--out-extension:.js=.mjs', REQUIRE];
const FORMATS: [name: string, flags: string[]][] = [
  ['cjs', ['--format=cjs', '--out-extension:.js=.cjs']],
  ['cjs, minified', ['--format=cjs', '--out-extension:.js=.cjs', '--minify']],
  ['esm', ESM],
  ['esm in chunks, minified', [...ESM, '--splitting', '--minify']],
];

let bench: BundleBench;

beforeAll(async () => {
  bench = await BundleBench.start();
}, 60_000);
afterAll(() => bench?.stop());

/** Bundles with esbuild; resolves with the folder of the bundle. */
function bundle(project: Project, main: string, flags: readonly string[], external = OF_NEST): Promise<string> {
  return bench.bundle(project, `${main} ${flags.join(' ')}`, (out) => [
    ESBUILD,
    main,
    '--bundle',
    '--platform=node',
    `--outdir=${out}`,
    '--log-level=error',
    ...flags,
    ...external.map((name) => `--external:${name}`),
  ]);
}
const extension = (flags: readonly string[]): string => (flags.includes('--format=cjs') ? 'cjs' : 'mjs');

const ENTRIES: [project: Project, main: string, external: string[]][] = [
  ['Nest 11, CommonJS', 'context', [...OF_NEST, OF_HTTP]],
  ['Nest 12, ES modules', 'http', OF_NEST],
];

describe.each(ENTRIES)('an application with %s, bundled by esbuild', (project, main, external) => {
  it.each(FORMATS)('boots from an empty folder: %s', async (_name, flags) => {
    const out = await bundle(project, `${main}.js`, flags, external);
    const file = `${main}.${extension(flags)}`;
    const printed = [bench.run(out, file), bench.run(out, file, WRONG_NAMESPACE)];
    expect(await Promise.all(printed)).toEqual([REPORT, REFUSED]);
  });
});

describe('a script, bundled by esbuild', () => {
  const required = SCRIPT.replace(/import '(.*)'/, "require('$1')").replace(
    /import (.*) from '(.*)'/,
    "const $1 = require('$2')",
  );

  it.each<[name: string, code: string, flags: string[]]>([
    ...FORMATS.map(([name, flags]): [string, string, string[]] => [`ES modules into ${name}`, SCRIPT, flags]),
    ['CommonJS into cjs, minified', required, ['--format=cjs', '--out-extension:.js=.cjs', '--minify']],
  ])('fails with typed errors: %s', async (_name, code, flags) => {
    const main = code === SCRIPT ? 'script.mjs' : 'script.cjs';
    await writeFile(join(bench.projectPath('Nest 12, ES modules'), main), code);
    const out = await bundle('Nest 12, ES modules', main, flags, [...OF_NEST, OF_HTTP]);
    expect(await bench.run(out, `script.${extension(flags)}`)).toMatch(
      /^VAULT_\w+ Vault\w+Error true VaultNotFoundError$/,
    );
  });
});
