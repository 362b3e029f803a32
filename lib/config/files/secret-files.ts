import { createHash, randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { copyFileSync, linkSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { VaultClosedError, VaultInvalidOptionError } from '../../errors/index.js';
import type { PrivateFileFault } from './private-file.js';
import { stagePrivateFile, syncFolder } from './private-file.js';

/** A file to be written. @internal */
export interface SecretFile {
  readonly path: string;
  /** What it is called in errors. */
  readonly what: string;
  readonly content: () => Buffer;
  /** Its key in the configuration, and that of the value it holds where there is one. */
  readonly keys: readonly [string, ...string[]];
}

/** New content beside the files it is for, not in place yet. @internal */
export interface StagedFiles {
  /**
   * Puts all of it in place without giving up the turn of the event loop. When one file cannot be replaced, the others have
   * their old content again.
   *
   * @throws VaultInvalidOptionError naming the file and the reason, VaultClosedError after `close()`
   */
  commit(): void;
  /** Removes it. */
  discard(): void;
}

interface StagedFile extends SecretFile {
  readonly temporary: string;
  readonly digest: string;
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
  /** Files beside those in place, which must not outlive the process. */
  readonly #temporary = new Set<string>();
  #folderMade = false;
  #closed = false;
  #queue: Promise<void> = Promise.resolve();

  /**
   * Replaces the files whose content has changed: all of them, or none when one cannot be written.
   *
   * @throws VaultInvalidOptionError naming the file and the reason, VaultClosedError after `close()`
   */
  async write(files: readonly SecretFile[]): Promise<void> {
    const staged = await this.stage(files);
    staged.commit();
    await this.#queue;
  }

  /**
   * Writes the content of files that have changed beside them. A symbolic link is not followed. Has no effect on the files
   * until `commit()`.
   *
   * @throws VaultInvalidOptionError naming the file and the reason, VaultClosedError after `close()`
   */
  stage(files: readonly SecretFile[]): Promise<StagedFiles> {
    if (files.length === 0) return Promise.resolve({ commit: () => undefined, discard: () => undefined });
    const work = this.#queue.then(() => this.#stage(files));
    this.#queue = work.then(
      () => undefined,
      () => undefined,
    );
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
    for (const path of [...this.#temporary]) this.#remove(path);
    if (this.#folderMade) attempt(() => rmSync(this.folder, { recursive: true, force: true }));
    this.#folderMade = false;
  }

  async #stage(files: readonly SecretFile[]): Promise<StagedFiles> {
    const staged: StagedFile[] = [];
    const discard = (): void => staged.forEach(({ temporary }) => this.#remove(temporary));
    try {
      for (const file of files) {
        const bytes = file.content();
        const digest = createHash('sha256').update(bytes).digest('hex');
        if (this.#written.get(file.path)?.digest === digest) continue;
        this.#refuseClosed(file);
        try {
          await this.#prepare(file.path);
          const temporary = await stagePrivateFile(file.path, bytes);
          this.#temporary.add(temporary);
          staged.push({ ...file, temporary, digest });
        } catch (error) {
          throw unwritable(file, error);
        }
      }
    } catch (error) {
      discard();
      throw error;
    }
    return {
      discard,
      commit: () => {
        try {
          this.#commit(staged);
        } catch (error) {
          discard();
          throw error;
        }
      },
    };
  }

  /** Synchronous, so that nothing in this process can read one file before the other is replaced. */
  #commit(staged: readonly StagedFile[]): void {
    const undo: (() => void)[] = [];
    const copies: string[] = [];
    try {
      for (const file of staged) {
        this.#refuseClosed(file);
        const { path, temporary, digest } = file;
        try {
          undo.push(this.#undoOf(path, temporary, copies));
          renameSync(temporary, path);
          this.#temporary.delete(temporary);
          this.#written.set(path, { digest, identity: identityOf(lstatSync(path)) });
        } catch (error) {
          throw unwritable(file, error);
        }
      }
    } catch (error) {
      for (const step of undo.reverse()) attempt(step);
      throw error;
    } finally {
      for (const copy of copies) this.#remove(copy);
    }
    const folders = new Set(staged.map(({ path }) => dirname(path)));
    this.#queue = this.#queue.then(() => Promise.all([...folders].map(syncFolder))).then(() => undefined);
  }

  /** What brings back the present content of a file, or takes away one that is new. */
  #undoOf(path: string, temporary: string, copies: string[]): () => void {
    const before = this.#written.get(path);
    const copy = `${temporary}.old`;
    const present = lstatSync(path, { throwIfNoEntry: false });
    if (present && !present.isFile()) throw Object.assign(new Error(), { code: 'not-a-file' });
    if (!present) {
      return () => {
        rmSync(path, { force: true });
        this.#written.delete(path);
      };
    }
    this.#temporary.add(copy);
    copies.push(copy);
    try {
      linkSync(path, copy);
    } catch {
      // Not every file system has links.
      copyFileSync(path, copy);
    }
    return () => {
      if (lstatSync(path, { throwIfNoEntry: false })?.ino === present.ino) return;
      renameSync(copy, path);
      if (before) this.#written.set(path, { ...before, identity: identityOf(lstatSync(path)) });
      else this.#written.delete(path);
    };
  }

  #remove(temporary: string): void {
    this.#temporary.delete(temporary);
    attempt(() => rmSync(temporary, { force: true }));
  }

  #refuseClosed({ what }: SecretFile): void {
    if (this.#closed) throw new VaultClosedError(`Cannot write ${what} to a file: the application is closed.`);
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

function unwritable({ path, what }: SecretFile, error: unknown): VaultInvalidOptionError {
  const reason = (error as PrivateFileFault).reason ?? (error as NodeJS.ErrnoException).code ?? 'unwritable';
  return new VaultInvalidOptionError(
    `Cannot write ${what} to the file ${JSON.stringify(path)} (${reason}). The folder must exist, this process must be allowed to write to it, and the file must not be a link or a folder: check "files".`,
    { reason },
  );
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // Gone already, or not ours to remove any more.
  }
}
