import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { copyFileSync, linkSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VaultClosedError, VaultInvalidOptionError } from '../../errors/index.js';
import type { Configuration } from '../configuration.js';
import type { Output, StagedOutput } from '../outputs.js';
import type { PrivateFileFault } from './private-file.js';
import { stagePrivateFile, syncFolder } from './private-file.js';

/** A file to be written. @internal */
export interface SecretFile {
  readonly path: string;
  /** Its name in errors. */
  readonly what: string;
  readonly content: () => Buffer;
  /** Its key in the configuration, and that of the value it holds where there is one. */
  readonly keys: readonly [string, ...string[]];
}

interface StagedFile extends SecretFile {
  readonly temporary: string;
  readonly digest: string;
}

/** Everything with files on disk: they are removed when the process ends without closing its applications. */
const holders = new Set<SecretFiles>();
const removeAll = (): void => holders.forEach((files) => files.remove());

/**
 * The files that one boot has written, each readable only by the owner of the process.
 * @internal
 */
export class SecretFiles implements Output {
  readonly #folder: string;
  readonly #written = new Map<string, { readonly digest: string; readonly identity: string }>();
  /** Staged files and copies, which must not outlive the process. */
  readonly #temporary = new Set<string>();
  #folderExists = false;
  #closed = false;
  #queue: Promise<void> = Promise.resolve();

  /** @param folder for files without a path of their own; created when the first one is written */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Writes the new content of changed files next to them. `commit()` replaces all of them; when one cannot be replaced, the
   * others have their old content again. A symbolic link is not followed.
   *
   * @throws VaultInvalidOptionError naming the file and the reason, VaultClosedError after `close()`; so does `commit()`
   */
  prepare({ files }: Pick<Configuration, 'files'>): Promise<StagedOutput> {
    if (files.length === 0) return Promise.resolve({ commit: () => undefined, discard: () => undefined });
    const work = this.#queue.then(() => this.#stage(files));
    this.#queue = work.then(
      () => undefined,
      () => undefined,
    );
    return work;
  }

  /** Resolves when committed files are on the disk. */
  settled(): Promise<void> {
    return this.#queue;
  }

  /** Removes the files and the folder. A file that something else has replaced stays. Never throws. */
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
    if (this.#folderExists) attempt(() => rmSync(this.#folder, { recursive: true, force: true }));
    this.#folderExists = false;
  }

  async #stage(files: readonly SecretFile[]): Promise<StagedOutput> {
    const staged: StagedFile[] = [];
    const discard = (): void => staged.forEach(({ temporary }) => this.#remove(temporary));
    try {
      for (const file of files) {
        const bytes = file.content();
        const digest = createHash('sha256').update(bytes).digest('hex');
        if (this.#written.get(file.path)?.digest === digest) continue;
        this.#assertOpen(file);
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
        this.#assertOpen(file);
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

  /** Prepares the way back: to the present content of a file, or to none. */
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

  #assertOpen({ what }: SecretFile): void {
    if (this.#closed) throw new VaultClosedError(`Cannot write ${what} to a file: the application is closed.`);
  }

  async #prepare(path: string): Promise<void> {
    if (holders.size === 0) process.once('exit', removeAll);
    holders.add(this);
    if (this.#folderExists || dirname(path) !== this.#folder) return;
    // Fails if it exists: then something else has created it.
    await mkdir(this.#folder, { mode: 0o700 });
    this.#folderExists = true;
  }
}

/** Includes the time of writing, because the inode number of a removed file is used again. */
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
    // Already removed, or no longer ours to remove.
  }
}
