import { resolve } from 'node:path';
import type { Credential } from '../../auth/credential.js';
import { checkCredential } from '../../auth/credential.js';
import type { Shape } from '../../options/check-options.js';
import { positiveNumber } from '../../options/check-options.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { isKeyLongEnough, KEY_FORMS } from './snapshot-file.js';

/**
 * An encrypted copy of the configuration on disk, to boot from if Vault is unavailable.
 * @publicApi
 */
export interface VaultSnapshotOptions {
  /**
   * Path of the file. Its folder must exist and outlive the process. The file has mode 0600 and is replaced as a
   * whole.
   */
  readonly file: string;
  /**
   * 32 bytes in base64 (44 characters, with the padding) or hex (64 characters). Anything else is a passphrase of at
   * least 20 characters, from which the key is derived with scrypt. It is read at every write and read of the file; a
   * function has 10 s to return it.
   */
  readonly key: Credential;
  /**
   * Maximum age of a snapshot, in milliseconds; older ones are rejected. Any number above 0, not `Infinity`. Default:
   * 86 400 000 (a day).
   */
  readonly maxAgeMs?: number;
  /**
   * How long a boot waits for a Vault that does not respond before it uses the snapshot, in milliseconds; at most
   * `boot.timeoutMs`. Default: 10 000.
   */
  readonly waitMs?: number;
}

/** Snapshot options, complete. @internal */
export type ResolvedSnapshot = Required<VaultSnapshotOptions>;

/** @internal */
export const SNAPSHOT_SHAPE = {
  file: (value) =>
    typeof value === 'string' && value.trim() !== '' && !value.includes('\0') ? undefined : 'the path of a file',
  key: checkCredential,
  // Not a timer, so it may be longer than one; but a snapshot that is never too old would bring back what was revoked.
  maxAgeMs: (value) =>
    typeof value === 'number' && Number.isFinite(value) && value > 0 ? undefined : 'a number above 0, not Infinity',
  waitMs: positiveNumber,
} satisfies Record<keyof VaultSnapshotOptions, Shape[string]>;

/** @throws VaultInvalidOptionError naming the option @internal */
export function resolveSnapshot(options: VaultSnapshotOptions | undefined): ResolvedSnapshot | undefined {
  if (options === undefined) return undefined;
  for (const option of ['file', 'key'] as const) {
    if (options[option] === undefined) {
      throw new VaultInvalidOptionError(
        `"config.snapshot" needs "${option}". It takes { file, key, maxAgeMs?, waitMs? }.`,
      );
    }
  }
  if (typeof options.key === 'string' && !isKeyLongEnough(options.key)) {
    throw new VaultInvalidOptionError(`"config.snapshot.key" is too short: it takes ${KEY_FORMS}.`);
  }
  return {
    file: resolve(options.file),
    key: options.key,
    maxAgeMs: options.maxAgeMs ?? 86_400_000,
    waitMs: options.waitMs ?? 10_000,
  };
}

/**
 * Present while the application runs on a snapshot, because Vault was unavailable at boot.
 * @publicApi
 */
export interface VaultDegradation {
  /** Time when the application booted from the snapshot. */
  readonly since: Date;
  /** Time when the values were read from Vault. */
  readonly snapshotTakenAt: Date;
  /** Reason why Vault was unavailable. Safe to log. */
  readonly reason: string;
}
