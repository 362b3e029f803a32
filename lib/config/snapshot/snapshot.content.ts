import type { JsonObject } from '../../client/response.js';
import { isJsonObject } from '../../client/response.js';
import type { Kv2Secret } from '../../engines/kv2.types.js';
import type { VaultErrorDetails } from '../../errors/index.js';
import { VaultNotFoundError } from '../../errors/index.js';
import type { SecretRead, SecretReads } from '../sources/read-secrets.js';
import type { SecretBelow } from '../sources/secrets-below.js';
import { joinedRead } from '../sources/secrets-below.js';

/** What of a read is kept: the secret, or that there was none. */
type KeptRead =
  | { readonly secret: Kv2Secret<JsonObject>; readonly readAt: string }
  | { readonly parts: readonly SecretBelow[]; readonly readAt: string }
  | { readonly absent: string; readonly details: VaultErrorDetails };

/**
 * Reads as bytes. Other failures than an absent secret are left out: they say nothing about the next boot.
 * @internal
 */
export function serialiseReads(reads: SecretReads): Buffer {
  const kept: [id: string, read: KeptRead][] = [];
  for (const [id, read] of reads) {
    if (read.secret && read.parts) kept.push([id, { parts: read.parts, readAt: read.readAt.toISOString() }]);
    else if (read.secret) kept.push([id, { secret: read.secret, readAt: read.readAt.toISOString() }]);
    else if (read.absent) {
      kept.push([id, { absent: read.error.message, details: { ...read.error } }]);
    }
  }
  return Buffer.from(JSON.stringify(kept));
}

/** The opposite; `undefined` when they are not reads, which only another version of this package can have written. @internal */
export function parseReads(bytes: Buffer): SecretReads | undefined {
  try {
    const kept = JSON.parse(bytes.toString('utf8')) as unknown;
    if (!Array.isArray(kept)) return undefined;
    return new Map(kept.map((entry) => readOf(entry)));
  } catch {
    return undefined;
  }
}

function readOf(entry: unknown): [string, SecretRead] {
  const [id, read] = entry as [string, KeptRead];
  if (typeof id !== 'string' || !isJsonObject(read)) throw new TypeError('not a read');
  if ('absent' in read)
    return [id, { error: new VaultNotFoundError(String(read.absent), read.details), absent: 'confirmed' }];
  if ('parts' in read) {
    const isSecret = ({ secretPath, secret }: SecretBelow) =>
      typeof secretPath === 'string' && isJsonObject(secret.data);
    if (!Array.isArray(read.parts) || !read.parts.every(isSecret)) throw new TypeError('not secrets');
    return [id, joinedRead(read.parts, new Date(read.readAt), 0)];
  }
  if (!isJsonObject(read.secret) || !isJsonObject(read.secret.data)) throw new TypeError('not a secret');
  const secret = read.secret as unknown as Kv2Secret<JsonObject>;
  return [id, { secret, readAt: new Date(read.readAt), askedAt: 0 }];
}
