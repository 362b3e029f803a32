// Builds both formats beside the old ones and swaps them in at the end, so that a running application or a test never
// finds half a package. Each format's folder carries the package.json that tells Node which format it holds.
import { spawnSync } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const FORMATS = { esm: 'module', cjs: 'commonjs' };
const fresh = `dist.${process.pid}.new`;
const old = `dist.${process.pid}.old`;

process.on('exit', () => [fresh, old].forEach((folder) => rmSync(folder, { recursive: true, force: true })));
for (const [format, type] of Object.entries(FORMATS)) {
  const outDir = `${fresh}/${format}`;
  const { status } = spawnSync(process.execPath, [tsc, '-p', `tsconfig.${format}.json`, '--outDir', outDir], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(`${outDir}/package.json`, `${JSON.stringify({ type })}\n`);
}
try {
  renameSync('dist', old);
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
renameSync(fresh, 'dist');
