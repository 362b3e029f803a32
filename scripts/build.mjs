// Builds both formats beside the old ones and swaps them in at the end, so that a running application or a test never
// finds half a package. Each format's folder carries the package.json that tells Node which format it holds.
// ES modules are put together into one file for each entry point, and one for what several share: Node takes a fifth of
// the time to load those (docs/adr/0025). CommonJS loads fast as it is.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isAbsolute, resolve, sep } from 'node:path';
import { rolldown } from 'rolldown';

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const FORMATS = { esm: 'module', cjs: 'commonjs' };
/** From left to right, so that a room does not take those it stands on with it. */
const ROOMS = [
  'errors',
  'lifetime',
  'observability',
  'options',
  'client',
  'auth',
  'session',
  'engines',
  'sys',
  'config',
  'boot',
  'nest',
];
const fresh = `dist.${process.pid}.new`;
const modules = `dist.${process.pid}.modules`;
const old = `dist.${process.pid}.old`;

process.on('exit', () => [fresh, modules, old].forEach((folder) => rmSync(folder, { recursive: true, force: true })));
compile('esm', '--outDir', modules, '--declarationDir', `${fresh}/esm`);
await bundle(modules, `${fresh}/esm`);
compile('cjs', '--outDir', `${fresh}/cjs`);
requireInPlace(`${fresh}/cjs`);
for (const [format, type] of Object.entries(FORMATS)) {
  writeFileSync(`${fresh}/${format}/package.json`, `${JSON.stringify({ type })}\n`);
}
try {
  renameSync('dist', old);
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
try {
  renameSync(fresh, 'dist');
} catch (error) {
  if (existsSync(old)) renameSync(old, 'dist');
  throw error;
}

function compile(format, ...args) {
  const { status } = spawnSync(process.execPath, [tsc, '-p', `tsconfig.${format}.json`, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/**
 * TypeScript wraps the `require` that stands for an `import()` into a function of its own. Bundlers no longer see then that
 * it stands in a `try`, and take an optional package that is not installed for an error.
 */
function requireInPlace(folder) {
  for (const file of readdirSync(folder, { recursive: true })) {
    if (!file.endsWith('.js')) continue;
    const text = readFileSync(`${folder}/${file}`, 'utf8');
    const flat = text.replace(/Promise\.resolve\(\)\.then\(\(\) => (__importStar\(require\('[^']+'\)\))\)/g, '$1');
    if (flat !== text) writeFileSync(`${folder}/${file}`, flat);
  }
}

/** Packages stay imports, and what is loaded on use stays so. Names and line breaks are kept, for whoever reads a stack. */
async function bundle(from, to) {
  const { exports, bin } = JSON.parse(readFileSync('package.json', 'utf8'));
  const entries = Object.values(exports).flatMap((entry) => entry.import?.default ?? []);
  const files = [...entries, ...Object.values(bin), './dist/esm/register/worker.js'];
  const names = files.map((file) => file.replace(/^\.\/dist\/esm\/(.+)\.js$/, '$1'));
  const build = await rolldown({
    // Each file's own path stands above what came from it.
    cwd: resolve(from),
    input: Object.fromEntries(names.map((name) => [name, `./${name}.js`])),
    external: (specifier) => !specifier.startsWith('.') && !isAbsolute(specifier),
    platform: 'node',
    onLog(level, { message }) {
      if (level === 'warn') throw new Error(`rolldown: ${message}`);
    },
  });
  await build.write({
    dir: resolve(to),
    format: 'esm',
    chunkFileNames: '[name].js',
    minifyInternalExports: false,
    codeSplitting: {
      groups: ROOMS.map((room) => ({ name: room, test: (id) => id.startsWith(resolve(from, room) + sep) })),
    },
  });
  await build.close();
}
