import type { JsonObject } from '../../client/response.js';
import { isJsonObject } from '../../client/response.js';
import type { Kv2Secret } from '../../engines/kv2.types.js';
import type { VaultErrorDetails } from '../../errors/index.js';
import { VaultNotFoundError } from '../../errors/index.js';
import type { SecretAddress, SecretRead } from '../sources/read-secrets.js';
import { SecretReads } from '../sources/read-secrets.js';
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
