import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { deriveKey } from './snapshot.key.js';

// magic 8 | version 2 | time of writing 8 | fingerprint 32 | salt 16 | nonce 12 | ciphertext | tag 16
const MAGIC = Buffer.from('NJSVAULT', 'latin1');
const VERSION = 1;
const CIPHER = 'aes-256-gcm';
const HEADER_LENGTH = 78;
const TAG_LENGTH = 16;

/** Why a file is not taken for a snapshot of this application. @internal */
export type SnapshotFault = 'not-a-snapshot' | 'unknown-version' | 'truncated' | 'foreign' | 'wrong-key';

/** @internal */
export interface SnapshotContent {
  readonly content: Buffer;
  readonly writtenAt: Date;
}

/**
 * Encrypts content. The header is bound to it, so that neither can be changed or exchanged.
 *
 * @param fingerprint 32 bytes that tell whose snapshot it is
 * @internal
 */
export async function encryptSnapshot(
  { content, writtenAt }: SnapshotContent,
  secret: string,
  fingerprint: Buffer,
): Promise<Buffer> {
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(VERSION, 0);
  fixed.writeBigUInt64BE(BigInt(writtenAt.getTime()), 2);
  const header = Buffer.concat([MAGIC, fixed, fingerprint, salt, nonce]);
  const cipher = createCipheriv(CIPHER, await deriveKey(secret, salt), nonce, { authTagLength: TAG_LENGTH });
  cipher.setAAD(header);
  return Buffer.concat([header, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
}

/**
 * Decrypts a file. Nothing of it is trusted before all of it was verified; what is looked at before that only makes the
 * refusal clearer.
 * @internal
 */
export async function decryptSnapshot(
  file: Buffer,
  secret: string,
  fingerprint: Buffer,
): Promise<SnapshotContent | SnapshotFault> {
  if (!file.subarray(0, MAGIC.length).equals(MAGIC.subarray(0, Math.min(MAGIC.length, file.length)))) {
    return 'not-a-snapshot';
  }
  if (file.length < MAGIC.length + 2) return 'truncated';
  if (file.readUInt16BE(8) !== VERSION) return 'unknown-version';
  if (file.length < HEADER_LENGTH + TAG_LENGTH) return 'truncated';
  if (!file.subarray(18, 50).equals(fingerprint)) return 'foreign';
  const header = file.subarray(0, HEADER_LENGTH);
  const key = await deriveKey(secret, file.subarray(50, 66));
  const decipher = createDecipheriv(CIPHER, key, file.subarray(66, HEADER_LENGTH), { authTagLength: TAG_LENGTH });
  decipher.setAAD(header);
  decipher.setAuthTag(file.subarray(-TAG_LENGTH));
  try {
    const content = Buffer.concat([decipher.update(file.subarray(HEADER_LENGTH, -TAG_LENGTH)), decipher.final()]);
    return { content, writtenAt: new Date(Number(header.readBigUInt64BE(10))) };
  } catch {
    return 'wrong-key';
  }
}
