import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The package as `npm publish` would upload it. */
export interface PackedPackage {
  /** The `.tgz` file. */
  tarball: string;
  /** Paths inside the tarball. */
  files: string[];
  /** Puts a real copy under `node_modules` of a project, so that its peers are looked up from there. */
  unpackInto(project: string): Promise<void>;
  /** Removes the tarball. */
  remove(): Promise<void>;
}

async function newestFile(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => stat(join(entry.parentPath, entry.name)));
  return Math.max(0, ...(await Promise.all(files)).map(({ mtimeMs }) => mtimeMs));
}

/** Builds unless `dist` is newer than every source; the two formats' marker files are the last thing a build writes. */
async function build(): Promise<void> {
  const done = join(ROOT, 'dist/cjs/package.json');
  const isFresh = existsSync(done) && (await stat(done)).mtimeMs > (await newestFile(join(ROOT, 'lib')));
  if (!isFresh) await run(process.execPath, ['scripts/build.mjs'], { cwd: ROOT });
}

/** Packs the package into a temporary folder, building it first when the build is older than the sources. */
export async function packPackage(): Promise<PackedPackage> {
  await build();
  const folder = await mkdtemp(join(tmpdir(), 'packed-package-'));
  const arguments_ = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await run('npm', arguments_, { cwd: ROOT, shell: process.platform === 'win32' });
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  const tarball = join(folder, packed.filename);
  return {
    tarball,
    files: packed.files.map(({ path }) => path),
    async unpackInto(project) {
      const target = join(project, 'node_modules', 'nestjs-vault');
      await rm(target, { recursive: true, force: true });
      await mkdir(target, { recursive: true });
      await run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1']);
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
