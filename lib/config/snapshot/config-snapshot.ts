import { createHash } from 'node:crypto';
import { resolveCredential } from '../../auth/credential.js';
import { race, TIMED_OUT } from '../../lifetime/race.js';
import { isVaultError, VaultSnapshotError } from '../../errors/index.js';
import type { ConfigPlan } from '../plan.js';
import type { SecretAddress } from '../sources/read-secrets.js';
import { addressText, isSameSecret, SecretReads } from '../sources/read-secrets.js';
import {
  decryptSnapshot,
  encryptSnapshot,
  isKeyLongEnough,
  KEY_FORMS,
  parseReads,
  serializeReads,
} from './snapshot-file.js';
import { MAX_FILE_BYTES, PrivateFileFault, readPrivateFile, writePrivateFile } from '../files/private-file.js';
import type { ResolvedSnapshot } from './snapshot.options.js';
import { formatDuration } from '../../errors/format.js';

/** Clocks differ a little; a file from further ahead has not been written by an honest one. */
const CLOCK_SKEW_MS = 5 * 60_000;
/** How long a function that supplies the key may take: neither a boot nor the end of an application waits forever. */
const KEY_TIMEOUT_MS = 10_000;

/** A snapshot that may be used. @internal */
export interface OpenedSnapshot {
  readonly reads: SecretReads;
  readonly takenAt: Date;
}

/**
 * The encrypted copy of what was read from Vault. It is as good as the values in it: anyone who has file and key has them.
 * @internal
 */
export class ConfigSnapshot {
  // Private fields: the options hold the key.
  readonly #options: ResolvedSnapshot;
  readonly #fingerprint: Buffer;
  readonly #addresses: readonly SecretAddress[];
  readonly #onProblem: (reason: string, file: string) => void;
  #saving: Promise<void> = Promise.resolve();
  /** What is written after the write under way. */
  #next: { readonly reads: SecretReads; readonly readAt: Date; readonly writtenAt: Date } | undefined;
  #saved: { readonly reads: SecretReads; readonly writtenAt: Date } | undefined;
  /** When all of it was read last. */
  #lastCompleteReadAt: Date | undefined;
  #warned: string | undefined;

  /**
   * @param server what else makes a snapshot another one: addresses, in any order, and namespace of the server
   * @param onProblem is told why a snapshot could not be written, and of one that is open to everybody
   */
  constructor(
    options: ResolvedSnapshot,
    plan: ConfigPlan,
    server: {
      readonly endpoint: string;
      readonly otherEndpoints?: readonly string[] | undefined;
      readonly namespace?: string | undefined;
    },
    onProblem: (reason: string, file: string) => void,
  ) {
    this.#options = options;
    this.#addresses = plan.layers.flatMap(({ sources }) => sources);
    const endpoints = [...new Set([server.endpoint, ...(server.otherEndpoints ?? [])])].sort();
    const identity = [endpoints, server.namespace ?? '', [...new Set(this.#addresses.map(addressText))].sort()];
    this.#fingerprint = createHash('sha256').update(JSON.stringify(identity)).digest();
    this.#onProblem = onProblem;
  }

  get file(): string {
    return this.#options.file;
  }

  /** How long a boot waits for Vault while there may be a snapshot to start on. */
  get waitMs(): number {
    return this.#options.waitMs;
  }

  /**
   * Replaces the snapshot by what was just read. One write at a time; resolves when it is done. Of what comes while one is
   * under way only the newest is written: a write takes longer than changes may be apart. When nothing is new, one
   * that has most of its life before it is left as it is. Never throws: a snapshot that cannot be written does not
   * stop the application, and is warned of, once for each reason in a row.
   *
   * @param isComplete whether all of it was just read; what could not be is as old as it was
   */
  save(reads: SecretReads, isComplete = true): Promise<void> {
    const now = new Date();
    if (isComplete) this.#lastCompleteReadAt = now;
    if (!this.#next) this.#saving = this.#saving.then(() => this.#saveNext());
    this.#next = { reads, readAt: now, writtenAt: this.#lastCompleteReadAt ?? now };
    return this.#saving;
  }

  /** Resolves when no write is under way. */
  settled(): Promise<void> {
    return this.#saving;
  }

  /**
   * Reads the snapshot.
   *
   * @throws VaultSnapshotError saying why it must not be used, VaultAuthenticationError when the key is missing
   */
  async open(): Promise<OpenedSnapshot> {
    const file = await readPrivateFile(this.file).catch((error: PrivateFileFault) => this.#refuse(error.reason));
    const opened = await decryptSnapshot(file.bytes, await this.#key(), this.#fingerprint);
    if (typeof opened === 'string') return this.#refuse(opened);
    const ageMs = Date.now() - opened.writtenAt.getTime();
    if (ageMs < -CLOCK_SKEW_MS) this.#refuse('future', ageMs);
    if (ageMs > this.#options.maxAgeMs) this.#refuse('too-old', ageMs);
    const reads = parseReads(opened.content);
    if (!reads) return this.#refuse('unknown-version');
    if ((file.mode & 0o007) !== 0 && process.platform !== 'win32') {
      this.#onProblem(
        `The snapshot ${JSON.stringify(this.file)} can be opened by every user of this machine: chmod 600.`,
        this.file,
      );
    }
    this.#lastCompleteReadAt = opened.writtenAt;
    return { reads: this.#complete(reads), takenAt: opened.writtenAt };
  }

  async #saveNext(): Promise<void> {
    if (!this.#next) return;
    const { reads, readAt, writtenAt } = this.#next;
    this.#next = undefined;
    const ageMs = this.#saved ? readAt.getTime() - this.#saved.writtenAt.getTime() : Infinity;
    // One that is dated ahead of a clock that has been set right since would be refused at the next boot.
    const isFresh = ageMs >= 0 && ageMs < this.#options.maxAgeMs / 10;
    if (this.#saved && isFresh && sameSecrets(this.#saved.reads, reads)) return;
    if (await this.#save(reads, writtenAt)) this.#saved = { reads, writtenAt };
  }

  async #save(reads: SecretReads, writtenAt: Date): Promise<boolean> {
    try {
      const content = serializeReads(reads);
      if (content.length > MAX_FILE_BYTES / 2) throw new PrivateFileFault('too-large');
      const bytes = await encryptSnapshot({ content, writtenAt }, await this.#key(), this.#fingerprint);
      await writePrivateFile(this.file, bytes);
      this.#warned = undefined;
      return true;
    } catch (error) {
      const reason = whyNot(error);
      if (reason !== this.#warned) {
        this.#onProblem(
          `The snapshot ${JSON.stringify(this.file)} could not be written: ${reason} Without it, this application cannot start while Vault is away.`,
          this.file,
        );
      }
      this.#warned = reason;
      return false;
    }
  }

  async #key(): Promise<string> {
    const key = await race(resolveCredential(this.#options.key, 'config.snapshot.key'), { timeoutMs: KEY_TIMEOUT_MS });
    if (key === TIMED_OUT) {
      throw new VaultSnapshotError(
        `"config.snapshot.key" was not supplied within ${KEY_TIMEOUT_MS / 1000} s: its function has not returned.`,
        { reason: 'no-key' },
      );
    }
    if (isKeyLongEnough(key)) return key;
    throw new VaultSnapshotError(`"config.snapshot.key" is too short: it takes ${KEY_FORMS}.`, { reason: 'wrong-key' });
  }

  /** What could not be read when the snapshot was written must not look as if nothing were wrong with it. */
  #complete(reads: SecretReads): SecretReads {
    const complete = new SecretReads(reads);
    for (const address of this.#addresses) {
      if (complete.has(address)) continue;
      const { mountPath, secretPath } = address;
      const message = `Secret "${secretPath}" in mount "${mountPath}" is not in the snapshot: it could not be read when that was written.`;
      complete.set(address, { error: new VaultSnapshotError(message, { mountPath, reason: 'incomplete' }) });
    }
    return complete;
  }

  #refuse(reason: string, ageMs = 0): never {
    throw new VaultSnapshotError(
      `The snapshot ${JSON.stringify(this.file)} cannot be used: ${describeFault(reason, ageMs, this.#options.maxAgeMs)}`,
      { reason },
    );
  }
}

function whyNot(error: unknown): string {
  if (error instanceof PrivateFileFault) return describeFault(error.reason === 'ENOENT' ? 'no-folder' : error.reason);
  if (isVaultError(error)) return error.message;
  // Such as JSON nested deeper than the stack. Its message may hold anything.
  return `${error instanceof Error ? error.name : 'an unknown error'} while it was made.`;
}

function sameSecrets(before: SecretReads, after: SecretReads): boolean {
  if (before.size !== after.size) return false;
  for (const [address, { secret }] of after) {
    if (!isSameSecret(before.get(address)?.secret, secret)) return false;
  }
  return true;
}

const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is none. It is written after a boot with Vault, and its folder must exist.',
  'no-folder': 'its folder does not exist. Create it, in a place that outlives the process.',
  EACCES: 'this user may not open it or write to its folder (EACCES).',
  ENOTDIR: 'a part of its path is a file, not a folder (ENOTDIR).',
  EISDIR: 'it is a folder.',
  ENOSPC: 'the disk is full (ENOSPC).',
  EROFS: 'the file system is read-only (EROFS). Give "config.snapshot.file" a place that can be written to.',
  symlink: 'it is a symbolic link, which is not followed. Give the path of the file itself.',
  'not-a-file': 'it is not a regular file.',
  'too-large': 'it is larger than a snapshot may be.',
  truncated: 'it is shorter than a snapshot can be. It was cut off, or never written to the end.',
  'not-a-snapshot': 'it is not a snapshot of this module.',
  'unknown-version': 'another version of this module has written it.',
  foreign: 'it was made with another server address, another Vault namespace or other sources.',
  'wrong-key': 'the key is another one than it was written with, or the file was changed or cut off since.',
};

/**
 * Why a snapshot was refused or not written, and what to do, in words.
 *
 * @param ageMs negative for a file from the future
 * @internal
 */
export function describeFault(reason: string, ageMs = 0, maxAgeMs = 0): string {
  if (reason === 'too-old') {
    return `it is ${formatDuration(ageMs)} old, and "config.snapshot.maxAgeMs" allows ${formatDuration(maxAgeMs)}.`;
  }
  if (reason === 'future')
    return `it says it was written ${formatDuration(-ageMs)} from now. Check the clock of this machine.`;
  return FAULTS[reason] ?? `the file system says ${reason}.`;
}
