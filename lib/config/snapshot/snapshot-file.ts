import { createCipheriv, createDecipheriv, hkdf, randomBytes, scrypt } from 'node:crypto';
import type { JsonObject } from '../../client/vault-request.js';
import { isJsonObject } from '../../client/vault-request.js';
import type { Kv2Secret } from '../../engines/kv2-responses.js';
import type { VaultErrorDetails } from '../../errors/index.js';
import { VaultNotFoundError } from '../../errors/index.js';
import type { SecretAddress, SecretRead } from '../sources/read-secrets.js';
import { SecretReads } from '../sources/read-secrets.js';
import type { SecretBelow } from '../sources/secrets-below.js';
import { joinedRead } from '../sources/secrets-below.js';
import { promisify } from 'node:util';

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

/** What of a read is kept: the secret, or that there was none. */
type KeptRead =
  | { readonly secret: Kv2Secret<JsonObject>; readonly readAt: string }
  | { readonly parts: readonly SecretBelow[]; readonly readAt: string }
  | { readonly absent: string; readonly details: VaultErrorDetails };

/**
 * Reads as bytes. Other failures than an absent secret are left out: they say nothing about the next boot.
 * @internal
 */
export function serializeReads(reads: SecretReads): Buffer {
  const kept: [address: SecretAddress, read: KeptRead][] = [];
  for (const [{ namespace, mountPath, secretPath, version, kvVersion, below }, read] of reads) {
    // Not the whole of what may be a source, with its functions.
    const address = { namespace, mountPath, secretPath, version, kvVersion, below } as SecretAddress;
    if (read.secret && read.parts) kept.push([address, { parts: read.parts, readAt: read.readAt.toISOString() }]);
    else if (read.secret) kept.push([address, { secret: read.secret, readAt: read.readAt.toISOString() }]);
    else if (read.absent) {
      kept.push([address, { absent: read.error.message, details: { ...read.error } }]);
    }
  }
  return Buffer.from(JSON.stringify(kept));
}

/** The opposite; `undefined` when they are not reads, which only another version of this package can have written. @internal */
export function parseReads(bytes: Buffer): SecretReads | undefined {
  try {
    const kept = JSON.parse(bytes.toString('utf8')) as unknown;
    if (!Array.isArray(kept)) return undefined;
    return new SecretReads(kept.map((entry) => readOf(entry)));
  } catch {
    return undefined;
  }
}

function readOf(entry: unknown): [SecretAddress, SecretRead] {
  const [address, read] = entry as [SecretAddress, KeptRead];
  if (!isJsonObject(address) || !isJsonObject(read)) throw new TypeError('not a read');
  if ('absent' in read)
    return [address, { error: new VaultNotFoundError(String(read.absent), read.details), absent: 'confirmed' }];
  if ('parts' in read) {
    const isSecret = ({ secretPath, secret }: SecretBelow) =>
      typeof secretPath === 'string' && isJsonObject(secret.data);
    if (!Array.isArray(read.parts) || !read.parts.every(isSecret)) throw new TypeError('not secrets');
    return [address, joinedRead(read.parts, new Date(read.readAt), 0)];
  }
  if (!isJsonObject(read.secret) || !isJsonObject(read.secret.data)) throw new TypeError('not a secret');
  const secret = read.secret as unknown as Kv2Secret<JsonObject>;
  return [address, { secret, readAt: new Date(read.readAt), requestedAt: 0 }];
}

const MIN_PASSPHRASE_LENGTH = 20;
const KEY_LENGTH = 32;
// About 0.1 s and 32 MiB for each guess at a passphrase.
const SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };

/** What a key may be, for errors. @internal */
export const KEY_FORMS = `32 bytes in base64 with its padding (44 characters) or hex ("openssl rand -base64 32"), or a passphrase of at least ${MIN_PASSPHRASE_LENGTH} characters`;

/** @internal */
export function isKeyLongEnough(key: string): boolean {
  return key.trim().length >= MIN_PASSPHRASE_LENGTH;
}

/**
 * The key of one file: a salt of its own makes it differ from that of every other file made with the same secret, so
 * that no nonce can ever meet the same key twice. 32 random bytes are only spread; a passphrase is made costly to guess.
 * @internal
 */
export async function deriveKey(secret: string, salt: Buffer): Promise<Buffer> {
  const bytes = randomBytesIn(secret);
  if (!bytes) return scryptOf(secret, salt);
  return Buffer.from(await promisify(hkdf)('sha256', bytes, salt, 'nestjs-vault snapshot', KEY_LENGTH));
}

function scryptOf(passphrase: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFKC'), salt, KEY_LENGTH, SCRYPT, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

/**
 * Only what a generator of random bytes prints is taken for bytes: 64 hex digits, or base64 with its padding. A passphrase
 * of as many letters and digits has far less than 32 bytes of randomness and needs the cost of scrypt.
 */
function randomBytesIn(secret: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(secret)) return Buffer.from(secret, 'hex');
  if (!/^[A-Za-z0-9+/_-]{43}=$/.test(secret)) return undefined;
  // Node's decoder takes both alphabets, and characters whose last bits are lost.
  const bytes = Buffer.from(secret, 'base64');
  return [bytes.toString('base64'), `${bytes.toString('base64url')}=`].includes(secret) ? bytes : undefined;
}
