// Builds both formats beside the old ones and swaps them in at the end, so that a running application or a test never
// finds half a package. Each format's folder carries the package.json that tells Node which format it holds.
// Both come from the same chunks: the files that lib/layers.json names, and one for each entry point
// (docs/adr/0049).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { decode, encode } from '@jridgewell/sourcemap-codec';
import { rolldown } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';

const LIB = resolve('lib');
/** Programs are no library: the command line and the worker are ES modules, what `--require` loads is CommonJS. */
const ENTRIES = { esm: ['index', 'testing/index', 'cli/main', 'register/worker'], cjs: ['index', 'testing/index'] };
const LAYERS = JSON.parse(readFileSync('lib/layers.json', 'utf8')).filter(({ chunk }) => chunk);
const CHUNKS = [...new Set(LAYERS.map(({ chunk }) => chunk))].map((name) => {
  const folders = LAYERS.filter(({ chunk }) => chunk === name).map(({ folder }) => join(LIB, folder) + sep);
  return { name, test: (id) => folders.some((folder) => id.startsWith(folder)) };
});
const DECLARED = ['index', 'testing/index', 'register/index'];
const fresh = `dist.${process.pid}.new`;
const declarations = `dist.${process.pid}.types`;
const old = `dist.${process.pid}.old`;

process.on('exit', () =>
  [fresh, declarations, old].forEach((folder) => rmSync(folder, { recursive: true, force: true })),
);
await Promise.all([
  emitDeclarations(),
  bundle('esm', ENTRIES.esm),
  bundle('cjs', ENTRIES.cjs),
  // It is loaded before any application code, so it takes only what it needs along.
  bundle('cjs', ['register/index'], { codeSplitting: false }),
]);
await bundleDeclarations();
for (const [format, type] of [
  ['esm', 'module'],
  ['cjs', 'commonjs'],
]) {
  writeFileSync(`${fresh}/${format}/package.json`, `${JSON.stringify({ type })}\n`);
}
swapIn();

/** Packages stay imports, and what is loaded on use stays so. Names and line breaks are kept: stack traces show them. */
async function bundle(format, entries, output) {
  const dir = resolve(fresh, format);
  const build = await rolldown({
    ...inputOptions(entries, LIB, '.ts'),
    platform: 'node',
    tsconfig: resolve('tsconfig.json'),
    resolve: { extensionAlias: { '.js': ['.ts'] } },
  });
  const { output: written } = await build.write({
    dir,
    format,
    esModule: true,
    chunkFileNames: '[name].js',
    minifyInternalExports: false,
    dynamicImportInCjs: false,
    // Editors show the documentation of declarations.
    comments: { jsdoc: false, annotation: true, legal: true },
    sourcemap: true,
    sourcemapExcludeSources: true,
    codeSplitting: { groups: CHUNKS },
    ...output,
  });
  await build.close();
  for (const { fileName } of written) {
    const file = join(dir, fileName);
    writeFileSync(file, (fileName.endsWith('.map') ? keepLines : requireInPlace)(readFileSync(file, 'utf8')));
  }
}

function inputOptions(entries, folder, extension) {
  return {
    cwd: folder,
    input: Object.fromEntries(entries.map((name) => [name, `./${name}${extension}`])),
    // Decorators take a helper of rolldown's along.
    external: (specifier) => !/^(?:\.|@oxc-project\/runtime\/)/.test(specifier) && !isAbsolute(specifier),
    onLog(level, { message }) {
      if (level === 'warn') throw new Error(`rolldown: ${message}`);
    },
  };
}

/** A stack trace needs the line; columns would be most of the map. */
function keepLines(text) {
  const map = JSON.parse(text);
  const mappings = encode(decode(map.mappings).map(([first]) => (first ? [[0, ...first.slice(1, 4)]] : [])));
  return JSON.stringify({ ...map, names: [], mappings });
}

/**
 * The `require` that stands for an `import()` is wrapped into a function of its own. Bundlers no longer see then that it
 * stands in a `try`, and take an optional package that is not installed for an error.
 */
function requireInPlace(text) {
  const wrapped =
    /Promise\.resolve\(\)\.then\(\(\) => (?:\/\* @__PURE__ \*\/ )?([\w.]*__toESM\(require\("[^"]+"\)[^)]*\))\)/g;
  return text.replace(wrapped, '$1');
}

/** TypeScript writes them without what is `@internal`; a public declaration that needs one of those does not build. */
async function emitDeclarations() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', declarations];
  const [code] = await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit');
  if (code !== 0) process.exit(code ?? 1);
}

async function bundleDeclarations() {
  const build = await rolldown({
    ...inputOptions(DECLARED, resolve(declarations), '.d.ts'),
    plugins: [dts({ dtsInput: true, tsconfig: false })],
  });
  await build.write({
    dir: resolve(fresh, 'esm'),
    format: 'esm',
    chunkFileNames: '[name].d.ts',
    entryFileNames: '[name].ts',
  });
  await build.close();
  // Each format needs its own, in the same words.
  for (const file of readdirSync(`${fresh}/esm`, { recursive: true }).filter((name) => name.endsWith('.d.ts'))) {
    mkdirSync(dirname(`${fresh}/cjs/${file}`), { recursive: true });
    copyFileSync(`${fresh}/esm/${file}`, `${fresh}/cjs/${file}`);
  }
}

function swapIn() {
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
}
