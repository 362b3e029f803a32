import { createHash, randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { lstatSync, rmSync } from 'node:fs';
import { lstat, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { VaultClosedError, VaultInvalidOptionError } from '../../errors/index.js';
import type { PrivateFileFault } from './private-file.js';
import { writePrivateFile } from './private-file.js';

/** A file to be written. @internal */
export interface SecretFile {
  readonly path: string;
  /** What it is called in errors. */
  readonly what: string;
  readonly content: () => Buffer;
}

/** All that have files on disk: also a process that ends without closing its applications leaves none. */
const holders = new Set<SecretFiles>();
const removeAll = (): void => holders.forEach((files) => files.remove());

/**
 * The files one boot has written, each readable by the owner of the process only.
 * @internal
 */
export class SecretFiles {
  /** Made when the first file goes into it. */
  readonly folder = join(tmpdir(), `nestjs-vault-${randomUUID()}`);
  readonly #written = new Map<string, { readonly digest: string; readonly identity: string }>();
  #folderMade = false;
  #closed = false;
  #queue: Promise<void> = Promise.resolve();

  /**
   * Writes files whose content has changed, each as a whole: whoever opens one sees the old content or the new one. A
   * symbolic link is not followed.
   *
   * @throws VaultInvalidOptionError naming the file and the reason, VaultClosedError after `close()`
   */
  write(files: readonly SecretFile[]): Promise<void> {
    if (files.length === 0) return Promise.resolve();
    const work = this.#queue.then(() => this.#write(files));
    this.#queue = work.catch(() => undefined);
    return work;
  }

  /** Removes the files, and the folder with them. What somebody else has put in the place of one stays. Never throws. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue;
    this.remove();
  }

  /** The same without waiting, for the end of the process. */
  remove(): void {
    holders.delete(this);
    if (holders.size === 0) process.removeListener('exit', removeAll);
    for (const [path, { identity }] of this.#written) {
      attempt(() => {
        if (identityOf(lstatSync(path)) === identity) rmSync(path);
      });
    }
    this.#written.clear();
    if (this.#folderMade) attempt(() => rmSync(this.folder, { recursive: true, force: true }));
    this.#folderMade = false;
  }

  async #write(files: readonly SecretFile[]): Promise<void> {
    for (const { path, what, content } of files) {
      if (this.#closed) throw new VaultClosedError(`Cannot write ${what} to a file: the application is closed.`);
      const bytes = content();
      const digest = createHash('sha256').update(bytes).digest('hex');
      if (this.#written.get(path)?.digest === digest) continue;
      try {
        await this.#prepare(path);
        await writePrivateFile(path, bytes);
        this.#written.set(path, { digest, identity: identityOf(await lstat(path)) });
      } catch (error) {
        const reason = (error as PrivateFileFault).reason ?? (error as NodeJS.ErrnoException).code ?? 'unwritable';
        throw new VaultInvalidOptionError(
          `Cannot write ${what} to the file ${JSON.stringify(path)} (${reason}). The folder must exist, this process must be allowed to write to it, and the file must not be a link or a folder: check "files".`,
          { reason },
        );
      }
    }
  }

  async #prepare(path: string): Promise<void> {
    if (holders.size === 0) process.once('exit', removeAll);
    holders.add(this);
    if (this.#folderMade || dirname(path) !== this.folder) return;
    // Fails if it is there already: then somebody else has made it.
    await mkdir(this.folder, { mode: 0o700 });
    this.#folderMade = true;
  }
}

/** With the time of writing: the number of a file that was removed is given to the next one. */
function identityOf({ dev, ino, mtimeMs }: Stats): string {
  return [dev, ino, mtimeMs].join(':');
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // Gone already, or not ours to remove any more.
  }
}
