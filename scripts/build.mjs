// Builds both formats. Each output folder carries the package.json that tells Node which format it holds.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
rmSync('dist', { recursive: true, force: true });
for (const [format, type] of [
  ['esm', 'module'],
  ['cjs', 'commonjs'],
]) {
  const { status } = spawnSync(process.execPath, [tsc, '-p', `tsconfig.${format}.json`], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(`dist/${format}/package.json`, `${JSON.stringify({ type })}\n`);
}
