import { mkdir, rm, stat, utimes } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 200;
const BEAT_MS = 2_000;
const STALE_MS = 30_000;

/**
 * Lets one process at a time do the work; the others wait. A directory is the lock. Its holder touches it while it works, so one
 * that died is noticed, and its lock is taken over.
 *
 * It saves downloads and is not needed for correctness: should two processes ever hold it, both finish well, because the result
 * is put into place by a rename.
 * @internal
 */
export async function withFetchLock<T>(
  directory: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  while (!(await acquire(directory))) await delay(POLL_MS, undefined, signal && { signal });
  const beat = setInterval(() => void touch(directory), BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    await rm(directory, { recursive: true, force: true });
  }
}

async function acquire(directory: string): Promise<boolean> {
  try {
    await mkdir(directory);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  try {
    if (Date.now() - (await stat(directory)).mtimeMs > STALE_MS) await rm(directory, { recursive: true, force: true });
  } catch {
    // Its holder has just removed it.
  }
  return false;
}

async function touch(directory: string): Promise<void> {
  const now = new Date();
  await utimes(directory, now, now).catch(() => undefined);
}
