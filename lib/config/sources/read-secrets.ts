import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '../../client/vault-request.js';
import type { VaultClient } from '../../client/vault-client.js';
import { Kv1Engine } from '../../engines/kv1.engine.js';
import { Kv2Engine } from '../../engines/kv2.engine.js';
import type { Kv2Secret } from '../../engines/kv2-responses.js';
import type { VaultError } from '../../errors/index.js';
import {
  isVaultError,
  VaultBadResponseError,
  VaultInvalidOptionError,
  VaultNotFoundError,
  VaultPermissionError,
} from '../../errors/index.js';
import type { Mount } from './mount.js';
import { describeMount, hasDataPrefix, misplacedPrefix } from './mount.js';
import type { SecretBelow } from './secrets-below.js';
import { readBelow } from './secrets-below.js';

/** Which version of which secret. @internal */
export interface SecretAddress {
  readonly namespace?: string;
  readonly mountPath: string;
  readonly secretPath: string;
  readonly version?: number;
  /** Version of the KV engine. Default: what the server says. */
  readonly kvVersion?: 1 | 2;
  /** The secrets below the path, instead of one at it. */
  readonly below?: 'direct' | 'all';
}

/** What a read brought: the secret with the time of reading, or why there is none. @internal */
export type SecretRead =
  | {
      /** `version` is 0 and `createdTime` empty for a secret of a KV v1 engine, which has neither. */
      readonly secret: Kv2Secret<JsonObject>;
      readonly readAt: Date;
      /** Time of the request by `performance.now()`, which is never set back; 0 for a read of another process. */
      readonly requestedAt: number;
      /** The secrets that were read for an address with `below`. */
      readonly parts?: readonly SecretBelow[];
      readonly error?: undefined;
    }
  | {
      readonly secret?: undefined;
      readonly error: VaultError;
      /**
       * Set only when the secret does not exist: `confirmed` when the mount is known to be a KV engine of the version
       * that was read, `unconfirmed` when the lookup of the mount was denied.
       */
      readonly absent?: 'confirmed' | 'unconfirmed';
      /** The mount, where it was looked up. */
      readonly mount?: Mount;
      /** The secret that failed, for an address with `below`. */
      readonly failedPath?: string;
    };

/** @internal */
export type FailedRead = Extract<SecretRead, { secret?: undefined }>;

/** An address as text: the same text for the same secret and version. @internal */
export function addressText({ namespace, mountPath, secretPath, version, kvVersion, below }: SecretAddress): string {
  const engine = kvVersion === undefined && below === undefined ? [] : [kvVersion];
  const listed = below === undefined ? [] : [below];
  return JSON.stringify([namespace, mountPath, secretPath, version, ...engine, ...listed]);
}

/** Reads by address. @internal */
export class SecretReads {
  readonly #reads = new Map<string, readonly [SecretAddress, SecretRead]>();

  /** @param reads of several for one address, the last one stays */
  constructor(reads: Iterable<readonly [SecretAddress, SecretRead]> = []) {
    for (const [address, read] of reads) this.set(address, read);
  }

  get size(): number {
    return this.#reads.size;
  }

  get(address: SecretAddress): SecretRead | undefined {
    return this.#reads.get(addressText(address))?.[1];
  }

  has(address: SecretAddress): boolean {
    return this.#reads.has(addressText(address));
  }

  set(address: SecretAddress, read: SecretRead): void {
    this.#reads.set(addressText(address), [address, read]);
  }

  [Symbol.iterator](): Iterator<readonly [SecretAddress, SecretRead]> {
    return this.#reads.values();
  }

  /** The secret of an address in the version that was read; if there are several, the current one. */
  secretAt(address: Omit<SecretAddress, 'version'>): Kv2Secret<JsonObject> | undefined {
    let found: Kv2Secret<JsonObject> | undefined;
    for (const [other, { secret, ...read }] of this) {
      if ('parts' in read && read.parts) {
        const part = read.parts.find(({ secretPath }) => isSecretAt({ ...other, secretPath }, address));
        found = part?.secret ?? found;
      } else if (secret && isSecretAt(other, address) && (!found || other.version === undefined)) found = secret;
    }
    return found;
  }
}

/** Whether the secret does not exist, which is all that optional sources and defaults tolerate. @internal */
export function isAbsent(read: SecretRead | undefined): boolean {
  return read !== undefined && !read.secret && read.absent !== undefined;
}

/** Whether two addresses are of the same secret, in any version. @internal */
export function isSecretAt(one: Omit<SecretAddress, 'version'>, other: Omit<SecretAddress, 'version'>): boolean {
  return one.mountPath === other.mountPath && one.secretPath === other.secretPath && one.namespace === other.namespace;
}

/**
 * Whether two reads found the same. The time of writing counts too: a secret that was removed and written anew starts at
 * version 1 again. Without versions the data is compared.
 * @internal
 */
export function isSameSecret(
  before: Kv2Secret<JsonObject> | undefined,
  after: Kv2Secret<JsonObject> | undefined,
): boolean {
  if (before?.version !== after?.version || before?.createdTime !== after?.createdTime) return false;
  return before?.version !== 0 || isDeepStrictEqual(before.data, after?.data);
}

/**
 * The newer of two reads of one secret, by the time of the request, because responses may arrive in another order. A failed
 * read does not replace a successful one.
 * @internal
 */
export function newerRead(old: SecretRead | undefined, read: SecretRead): SecretRead {
  if (!old?.secret) return read;
  return read.secret && read.requestedAt >= old.requestedAt ? read : old;
}

type CallLimits = { readonly signal?: AbortSignal; readonly timeoutMs?: number };

/**
 * Reads secrets all at once, one request for each distinct address. A mount is looked up once, and only after a read in it
 * has failed: that decides whether a secret is absent, and finds KV v1 engines.
 *
 * @throws nothing of Vault's: failures are part of the result
 * @internal
 */
export async function readSecrets(
  client: VaultClient,
  addresses: Iterable<SecretAddress>,
  options: CallLimits = {},
): Promise<SecretReads> {
  const distinct = new Map<string, SecretAddress>();
  for (const address of addresses) distinct.set(addressText(address), address);
  const lookUp = mountLookup(client, options);
  const reads = await Promise.all(
    [...distinct.values()].map(async (address) => [address, await read(client, address, options, lookUp)] as const),
  );
  return new SecretReads(reads);
}

/** Mounts that were found, by client: a refresh does not look them up again. */
const found = new WeakMap<VaultClient, Map<string, Mount>>();

function mountLookup(client: VaultClient, options: CallLimits): (address: SecretAddress) => Promise<Mount> {
  const known = found.get(client) ?? new Map<string, Mount>();
  found.set(client, known);
  const pending = new Map<string, Promise<Mount>>();
  const lookUp = async (id: string, address: SecretAddress): Promise<Mount> => {
    const mount = known.get(id) ?? (await describeMount(client, address, options));
    if (mount.state === 'found') known.set(id, mount);
    return mount;
  };
  return (address) => {
    const id = JSON.stringify([address.namespace, address.mountPath]);
    const mount = pending.get(id) ?? lookUp(id, address);
    pending.set(id, mount);
    return mount;
  };
}

async function read(
  client: VaultClient,
  address: SecretAddress,
  options: CallLimits,
  lookUp: (address: SecretAddress) => Promise<Mount>,
): Promise<SecretRead> {
  const tried = address.kvVersion ?? 2;
  const first = await readFrom(tried, client, address, options);
  if (first.secret || !mayBeTheMount(first.error)) return first;
  const mount = await lookUp(address);
  const { mountPath } = address;
  const isV1 = mount.state === 'found' && mount.path === mountPath && mount.kvVersion === 1;
  const classify = (found: SecretRead, kvVersion: 1 | 2) =>
    withoutMisplacedPrefix(classifyRead(found, kvVersion, address, mount), kvVersion, client, address, options);
  if (!isV1 || address.kvVersion !== undefined) return classify(first, tried);
  if (address.version !== undefined) {
    const why = `"${mountPath}" is a KV version 1 engine, which keeps no versions: leave out version ${address.version}.`;
    const error = new VaultInvalidOptionError(
      `Cannot read version ${address.version} of secret ${JSON.stringify(address.secretPath)}: ${why}`,
      { mountPath },
    );
    return { error, mount };
  }
  return classify(await readFrom(1, client, address, options), 1);
}

function mayBeTheMount(error: VaultError): boolean {
  return (
    error instanceof VaultNotFoundError ||
    error instanceof VaultPermissionError ||
    error instanceof VaultBadResponseError
  );
}

/** The one place where it is decided whether a secret is absent. */
function classifyRead(read: SecretRead, kvVersion: 1 | 2, address: SecretAddress, mount: Mount): SecretRead {
  if (read.secret) return read;
  const { error } = read;
  const isSilent = error instanceof VaultNotFoundError && error.nothingStored && address.version === undefined;
  if (!isSilent || hasDataPrefix(address)) return { ...read, mount };
  switch (mount.state) {
    case 'found':
      return mount.kvVersion === kvVersion && mount.path === address.mountPath
        ? { error, mount, absent: 'confirmed' }
        : { error, mount };
    case 'hidden':
      return { error, mount, absent: 'unconfirmed' };
    case 'missing':
      return { error, mount };
    case 'unknown':
      return { error: mount.error, mount };
  }
}

/** `secret/my-app` in the mount `secret` is not absent but mistyped when there is a secret `my-app`. */
async function withoutMisplacedPrefix(
  read: SecretRead,
  kvVersion: 1 | 2,
  client: VaultClient,
  address: SecretAddress,
  options: CallLimits,
): Promise<SecretRead> {
  const prefix = misplacedPrefix(address);
  if (read.secret || !read.absent || prefix === '') return read;
  const secretPath = address.secretPath.slice(prefix.length);
  const meant = secretPath === '' ? undefined : await readFrom(kvVersion, client, { ...address, secretPath }, options);
  return meant?.secret ? { error: read.error, ...(read.mount && { mount: read.mount }) } : read;
}

async function readFrom(
  kvVersion: 1 | 2,
  client: VaultClient,
  address: SecretAddress,
  options: CallLimits,
): Promise<SecretRead> {
  const { namespace, mountPath, secretPath, version } = address;
  const call = { ...options, ...(namespace !== undefined && { namespace }) };
  if (address.below !== undefined) {
    return readBelow(kvVersion, client, address, call, (secret) => readFrom(kvVersion, client, secret, options));
  }
  const requestedAt = performance.now();
  try {
    if (kvVersion === 1) {
      const data = await new Kv1Engine(client, mountPath).read<JsonObject>(secretPath, call);
      const secret = { data, version: 0, createdTime: '', destroyed: false, customMetadata: {} };
      return { secret, readAt: new Date(), requestedAt };
    }
    const kv = new Kv2Engine(client, mountPath);
    const secret = await (version === undefined
      ? kv.read<JsonObject>(secretPath, call)
      : kv.readVersion<JsonObject>(secretPath, version, call));
    return { secret, readAt: new Date(), requestedAt };
  } catch (error) {
    if (isVaultError(error)) return { error };
    throw error;
  }
}
