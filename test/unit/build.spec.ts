import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ESM = join(ROOT, 'dist/esm');

/** What a program that uses the built package prints, as JSON. */
async function printedBy(program: string): Promise<unknown> {
  const { stdout } = await execute(process.execPath, ['--input-type=module', '--eval', program], { cwd: ROOT });
  return JSON.parse(stdout);
}

async function modules(): Promise<string[]> {
  return (await readdir(ESM, { recursive: true })).filter((file) => file.endsWith('.js'));
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

  it('calls no class of its ES modules by a name with a number because there are two of that name', async () => {
    const texts = await Promise.all((await modules()).map((file) => readFile(join(ESM, file), 'utf8')));
    const classes = texts.flatMap((text) => [...text.matchAll(/^(?:var|let|const) (\S+) = class\b/gm)]);
    const names = classes.map(([, name]) => name);
    expect(names).toContain('VaultModule');
    expect(names.filter((name) => name?.includes('$'))).toEqual([]);
  });

  it('has one VaultError for all its ES modules', async () => {
    const program = `
      import { VaultError } from 'nestjs-vault';
      import { VaultTestServerError } from 'nestjs-vault/testing';
      console.log(new VaultTestServerError('usage', 'x') instanceof VaultError);`;
    expect(await printedBy(program)).toBe(true);
  });

  it('has few ES modules to load', async () => {
    const files = await modules();
    expect(files).toEqual(expect.arrayContaining(['index.js', 'testing/index.js', 'cli/main.js']));
    expect(files.length).toBeLessThan(40);
  });
});
