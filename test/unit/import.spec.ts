import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Both are CommonJS, so that the one cache holds them however they were loaded. */
const ON_USE = ['undici', 'node-vault'];

/** Which of the packages that are loaded on use a program has loaded by its end. */
async function loadedBy(program: string): Promise<string[]> {
  const script = `
    const { createRequire } = await import('node:module');
    const require = createRequire(${JSON.stringify(`${ROOT}package.json`)});
    ${program}
    const files = Object.keys(require.cache).map((file) => file.replaceAll('\\\\', '/'));
    console.log(JSON.stringify(${JSON.stringify(ON_USE)}.filter((name) => files.some((file) => file.includes('/node_modules/' + name + '/')))));`;
  const { stdout } = await execute(process.execPath, ['--input-type=module', '--eval', script], { cwd: ROOT });
  return JSON.parse(stdout) as string[];
}

describe('importing the built package', () => {
  it.each([
    ['ESM', "await import('nestjs-vault');"],
    ['CommonJS', "require('nestjs-vault');"],
  ])('as %s loads neither undici nor node-vault', async (_, program) => {
    expect(await loadedBy(program)).toEqual([]);
  });

  it.each([
    ['import', "await import('undici'); await import('node-vault');"],
    ['require', "require('undici'); require('node-vault');"],
  ])('and they would be seen, loaded by %s', async (_, program) => {
    expect(await loadedBy(program)).toEqual(ON_USE);
  });
});
