import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** More than any configuration; a larger file is not read into memory. @internal */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** A file that is not what it should be; `reason` is an errno code or one of ours. @internal */
export class PrivateFileFault extends Error {
  constructor(readonly reason: string) {
    super(reason);
  }
}

/**
 * Reads a regular file of bounded size. A symbolic link is not followed, and a pipe is not waited for.
 *
 * @throws PrivateFileFault
 * @internal
 */
export async function readPrivateFile(path: string): Promise<{ readonly bytes: Buffer; readonly mode: number }> {
  // Windows has neither flag.
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  try {
    const handle = await open(path, flags);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new PrivateFileFault('not-a-file');
      if (stats.size > MAX_FILE_BYTES) throw new PrivateFileFault('too-large');
      const bytes = Buffer.alloc(stats.size);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
      return { bytes: bytes.subarray(0, bytesRead), mode: stats.mode };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw faultOf(error);
  }
}

/**
 * Puts a file in place as a whole: a reader sees the old one or the new one, also after a loss of power. Only its
 * owner can read it. What is there already and is not a regular file is left alone.
 *
 * @throws PrivateFileFault
 * @internal
 */
export async function writePrivateFile(path: string, bytes: Buffer): Promise<void> {
  const temporary = await stagePrivateFile(path, bytes);
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw faultOf(error);
  }
  await syncFolder(dirname(path));
}

/**
 * Writes the content beside the place it is for, under another name, so that a rename puts it there.
 *
 * @returns that name
 * @throws PrivateFileFault, also when what is in the place is not a regular file
 * @internal
 */
export async function stagePrivateFile(path: string, bytes: Buffer): Promise<string> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await refuseOther(path);
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return temporary;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw faultOf(error);
  }
}

async function refuseOther(path: string): Promise<void> {
  const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (stats?.isSymbolicLink()) throw new PrivateFileFault('symlink');
  if (stats && !stats.isFile()) throw new PrivateFileFault('not-a-file');
}

/** Makes the new name last. Not every file system can; the content is complete either way. @internal */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

function faultOf(error: unknown): PrivateFileFault {
  if (error instanceof PrivateFileFault) return error;
  const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
  // Opening a symbolic link that must not be followed.
  return new PrivateFileFault(code === 'ELOOP' || code === 'EMLINK' ? 'symlink' : code);
}
