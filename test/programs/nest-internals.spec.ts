import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from '@jest/globals';
import ts from 'typescript';

const MATRIX = fileURLToPath(new URL('../matrix', import.meta.url));
const SOURCE = fileURLToPath(new URL('../../lib/nest/nest-internals.ts', import.meta.url));
const FILE = `nest-internals.${process.pid}.mjs`;
const MAJORS = ['10', '11', '12'];

afterAll(() => MAJORS.forEach((major) => rmSync(`${MATRIX}/nest${major}/${FILE}`, { force: true })));

it('nest-internals.ts imports nothing else of this package', () => {
  expect(readFileSync(SOURCE, 'utf8')).not.toMatch(/from '\./);
});

it.each(MAJORS)('nest-internals.ts describes Nest %s', (major) => {
  const { outputText } = ts.transpileModule(readFileSync(SOURCE, 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  writeFileSync(`${MATRIX}/nest${major}/${FILE}`, outputText);
  const { stdout, stderr } = spawnSync(process.execPath, ['../nest-internals.mjs', FILE], {
    cwd: `${MATRIX}/nest${major}`,
    env: { ...process.env, NODE_OPTIONS: '' },
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (stdout === '') throw new Error(stderr);
  const { passed, failed } = JSON.parse(stdout) as { passed: string[]; failed: string[] };
  expect(failed).toEqual([]);
  expect(passed.length).toBeGreaterThan(10);
});
