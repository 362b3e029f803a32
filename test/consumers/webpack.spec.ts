import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { BundleBench, REFUSED, REPORT, WRONG_NAMESPACE } from '../support/bundle-bench.js';

const WEBPACK = fileURLToPath(new URL('fixtures/bundled/webpack.cjs', import.meta.url));

let bench: BundleBench;

beforeAll(async () => {
  bench = await BundleBench.start();
}, 60_000);
afterAll(() => bench?.stop());

// esbuild.spec.ts beside it has esbuild; webpack in production takes most of a minute.
it.each(['Nest 11, CommonJS', 'Nest 12, ES modules'] as const)(
  'an application with %s boots from an empty folder when webpack has bundled it for production',
  async (project) => {
    const entry = join(bench.projectPath(project), 'context.js');
    const out = await bench.bundle(project, 'webpack', (path) => [process.execPath, WEBPACK, entry, path]);
    const printed = [bench.run(out, 'main.js'), bench.run(out, 'main.js', WRONG_NAMESPACE)];
    expect(await Promise.all(printed)).toEqual([REPORT, REFUSED]);
  },
  300_000,
);
