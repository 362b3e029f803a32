import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import type { SourceMapPayload } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { apiReport, REPORTS } from '../../scripts/api-report.mjs';

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIST = join(ROOT, 'dist');

/** What a program that uses the built package prints, as JSON. */
async function printedBy(program: string): Promise<unknown> {
  const { stdout } = await execute(process.execPath, ['--input-type=module', '--eval', program], { cwd: ROOT });
  return JSON.parse(stdout);
}

async function built(extension: string): Promise<string[]> {
  return (await readdir(DIST, { recursive: true })).filter((file) => file.endsWith(extension));
}

describe('the built package', () => {
  it.each(['nestjs-vault', 'nestjs-vault/testing'])('exports the same from %s as ESM and as CommonJS', async (name) => {
    const [esm, cjs] = (await printedBy(`
      import { createRequire } from 'node:module';
      const named = (exported) => Object.entries(exported).map(([name, value]) => [name, typeof value, value.name]).sort();
      const required = createRequire(${JSON.stringify(`${ROOT}package.json`)})('${name}');
      console.log(JSON.stringify([named(await import('${name}')), named(required)]));`)) as [string[][], string[][]];
    expect(esm).toEqual(cjs);
    expect(esm.length).toBeGreaterThan(3);
    // Logs, and the names of errors, show what a class is called.
    for (const [exported, type, own] of esm) if (type === 'function') expect(own).toBe(exported);
  });

  it('gives no class a name with a number because there are two of that name', async () => {
    const texts = await Promise.all((await built('.js')).map((file) => readFile(join(DIST, file), 'utf8')));
    const classes = texts.flatMap((text) => [...text.matchAll(/^(?:(?:var|let|const) (\S+) = )?class (\S+)/gm)]);
    const names = classes.flatMap(([, variable, name]) => [variable, name]);
    expect(names).toEqual(expect.arrayContaining(['VaultModule', 'VaultSession']));
    expect(names.filter((name) => name?.includes('$'))).toEqual([]);
  });

  it('has one VaultError for all its ES modules', async () => {
    const program = `
      import { VaultError } from 'nestjs-vault';
      import { VaultTestServerError } from 'nestjs-vault/testing';
      console.log(new VaultTestServerError('usage', 'x') instanceof VaultError);`;
    expect(await printedBy(program)).toBe(true);
  });

  it('maps a stack trace to lines of the sources', async () => {
    const map = new SourceMap(JSON.parse(await readFile(join(DIST, 'cjs/client.js.map'), 'utf8')) as SourceMapPayload);
    const lines = (await readFile(join(DIST, 'cjs/client.js'), 'utf8')).split('\n');
    const entry = map.findEntry(lines.indexOf('var VaultError = class extends Error {'), 0);
    expect(entry).toMatchObject({ originalSource: expect.stringMatching(/lib\/errors\/vault-error\.ts$/) as unknown });
  });

  it('is described layer by layer in lib/README.md', async () => {
    const layers = JSON.parse(await readFile(join(ROOT, 'lib/layers.json'), 'utf8')) as Record<string, string>[];
    const rows = (await readFile(join(ROOT, 'lib/README.md'), 'utf8')).matchAll(/^\| `(\w+)\/` +\| (.*?) +\|$/gm);
    expect([...rows].map(([, folder, purpose]) => [folder, purpose])).toEqual(
      layers.map(({ folder, purpose }) => [folder, purpose]),
    );
  });

  it('packs into few files', async () => {
    const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
    const { stdout } = await execute('npm', args, { cwd: ROOT, shell: process.platform === 'win32' });
    const [{ size, entryCount }] = JSON.parse(stdout) as [{ size: number; entryCount: number }];
    expect(entryCount).toBeLessThanOrEqual(60);
    expect(size).toBeLessThanOrEqual(420_000);
  });

  it('declares nothing internal, and everything its declarations need', async () => {
    const files = (await built('.d.ts')).map((file) => join(DIST, file));
    const program = ts.createProgram(files, {
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      strict: true,
      noEmit: true,
      types: ['node'],
    });
    const sources = files.map((file) => program.getSourceFile(file) as ts.SourceFile);
    const problems = sources.flatMap((source) => program.getSemanticDiagnostics(source));
    expect(problems.map(({ file, messageText }) => [file?.fileName, messageText])).toEqual([]);
    expect(sources.filter(({ text }) => text.includes('@internal'))).toEqual([]);
    expect(sources.length).toBeGreaterThan(4);
  });

  it.each(Object.entries(REPORTS))('has the public surface of %s (npm run api updates it)', async (report, entry) => {
    expect(apiReport(entry)).toBe(await readFile(join(ROOT, report), 'utf8'));
  });
});
