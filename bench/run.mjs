// npm run bench -- NAME [options]: runs one benchmark. Figures only; nothing here passes or fails.
import { existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BENCHES = {
  boot: './boot.bench.mjs',
  config: './config.bench.mjs',
  connections: './connections.bench.mjs',
  read: './read.bench.mjs',
  redact: './redact.bench.mjs',
  session: './session.bench.mjs',
  start: './start.bench.mjs',
};
const root = fileURLToPath(new URL('..', import.meta.url));
const [name, ...args] = process.argv.slice(2);

if (!Object.hasOwn(BENCHES, name ?? '')) {
  console.error(`Usage: npm run bench -- NAME [options]\nBenchmarks: ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
if (
  !existsSync(`${root}dist/esm/index.js`) &&
  spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root, stdio: 'inherit' }).status !== 0
) {
  process.exit(1);
}
const { run } = await import(BENCHES[name]);
await run(args);
