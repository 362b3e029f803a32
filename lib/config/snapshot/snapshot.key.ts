import { hkdf, scrypt } from 'node:crypto';
import { promisify } from 'node:util';

const SHORTEST_PASSPHRASE = 20;
const KEY_LENGTH = 32;
// About 0.1 s and 32 MiB for each guess at a passphrase.
const SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };

/** What a key may be, for errors. @internal */
export const KEY_FORMS = `32 bytes in base64 with its padding (44 characters) or hex ("openssl rand -base64 32"), or a passphrase of at least ${SHORTEST_PASSPHRASE} characters`;

/** @internal */
export function isKeyLongEnough(key: string): boolean {
  return key.trim().length >= SHORTEST_PASSPHRASE;
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
