import { setMaxListeners } from 'node:events';
import type { JsonObject } from '../../client/response.js';
import type { VaultClient } from '../../client/vault-client.js';
import { Kv2Engine } from '../../engines/kv2.engine.js';
import type { Kv2Secret } from '../../engines/kv2.types.js';
import type { VaultError } from '../../errors/index.js';
import { isVaultError } from '../../errors/index.js';

/** Which version of which secret. @internal */
export interface SecretAddress {
  readonly namespace?: string;
  readonly mountPath: string;
  readonly secretPath: string;
  readonly version?: number;
}

/** What a read brought: the secret with the time of reading, or why there is none. @internal */
export type SecretRead =
  | {
      readonly secret: Kv2Secret<JsonObject>;
      readonly readAt: Date;
      /** When it was asked for, by the clock of `performance.now()`, which nobody sets; 0 in another process. */
      readonly askedAt: number;
      readonly error?: undefined;
    }
  | { readonly secret?: undefined; readonly error: VaultError };

/** Reads by `addressId`. @internal */
export type SecretReads = ReadonlyMap<string, SecretRead>;

/** @internal */
export function addressId({ namespace, mountPath, secretPath, version }: SecretAddress): string {
  return JSON.stringify([namespace, mountPath, secretPath, version]);
}

/** A secret in whatever version. @internal */
export function secretId({ namespace, mountPath, secretPath }: Omit<SecretAddress, 'version'>): string {
  return JSON.stringify([namespace, mountPath, secretPath]);
}

/** What was read of each secret, by `secretId`; where several versions of one were read, the current one. @internal */
export function versionsIn(reads: SecretReads): ReadonlyMap<string, Kv2Secret<JsonObject>> {
  const versions = new Map<string, Kv2Secret<JsonObject>>();
  for (const [id, { secret }] of reads) {
    if (!secret) continue;
    const address = JSON.parse(id) as readonly unknown[];
    const place = JSON.stringify(address.slice(0, -1));
    const isCurrent = address[address.length - 1] === null;
    if (isCurrent || !versions.has(place)) versions.set(place, secret);
  }
  return versions;
}

/**
 * Of two reads of one secret the one to go on with: that which was asked for later, since answers may overtake each other;
 * one that has failed replaces none that has not.
 * @internal
 */
export function laterRead(old: SecretRead | undefined, read: SecretRead): SecretRead {
  if (!old?.secret) return read;
  return read.secret && read.askedAt >= old.askedAt ? read : old;
}

/**
 * Reads secrets all at once, one request for each distinct address.
 *
 * @throws nothing of Vault's: failures are part of the result
 * @internal
 */
export async function readSecrets(
  client: VaultClient,
  addresses: Iterable<SecretAddress>,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<SecretReads> {
  // Every call listens to the one signal; beyond ten listeners Node would warn of a leak.
  if (options.signal) setMaxListeners(Infinity, options.signal);
  const distinct = new Map<string, SecretAddress>();
  for (const address of addresses) distinct.set(addressId(address), address);
  const reads = await Promise.all(
    [...distinct].map(async ([id, address]) => [id, await read(client, address, options)] as const),
  );
  return new Map(reads);
}

async function read(
  client: VaultClient,
  { namespace, mountPath, secretPath, version }: SecretAddress,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
): Promise<SecretRead> {
  const kv = new Kv2Engine(client, mountPath);
  const call = { ...options, ...(namespace !== undefined && { namespace }) };
  const askedAt = performance.now();
  try {
    const secret = await (version === undefined
      ? kv.read(secretPath, call)
      : kv.readVersion(secretPath, version, call));
    return { secret, readAt: new Date(), askedAt };
  } catch (error) {
    if (isVaultError(error)) return { error };
    throw error;
  }
}
