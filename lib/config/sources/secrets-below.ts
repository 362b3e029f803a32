import type { JsonObject } from '../../client/vault-request.js';
import type { VaultClient } from '../../client/vault-client.js';
import { Kv1Engine } from '../../engines/kv1.engine.js';
import { Kv2Engine } from '../../engines/kv2.engine.js';
import type { Kv2Secret } from '../../engines/kv2-responses.js';
import type { VaultError } from '../../errors/index.js';
import { isVaultError, VaultInvalidOptionError, VaultNotFoundError } from '../../errors/index.js';
import { encodePath } from '../../client/path.js';
import { quoted } from '../../errors/format.js';
import { isReservedKey } from '../reserved-keys.js';
import type { SecretAddress, SecretRead } from './read-secrets.js';

/** Limits of one source with `below`. */
const MAX_SECRETS = 1000;
const MAX_FOLDERS = 1000;
const MAX_DEPTH = 16;
const MAX_CONCURRENT_REQUESTS = 16;

/** One secret of a source with `below`. @internal */
export interface SecretBelow {
  readonly secretPath: string;
  readonly secret: Kv2Secret<JsonObject>;
}

interface Limits {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly namespace?: string;
}

/**
 * Lists a path and reads the secrets below it. The result is one read. A secret that does
 * not exist by the time it is read is left out; any other failure is the failure of the whole.
 *
 * @param readSecret reads one secret of that engine
 * @internal
 */
export async function readBelow(
  kvVersion: 1 | 2,
  client: VaultClient,
  address: SecretAddress,
  limits: Limits,
  readSecret: (address: SecretAddress) => Promise<SecretRead>,
): Promise<SecretRead> {
  const requestedAt = performance.now();
  try {
    const engine =
      kvVersion === 1 ? new Kv1Engine(client, address.mountPath) : new Kv2Engine(client, address.mountPath);
    const paths = await pathsBelow(address, (path) => engine.list(path, limits));
    const reads = await inBatches(paths, async (secretPath) => {
      const { namespace, mountPath } = address;
      const read = await readSecret({ mountPath, secretPath, ...(namespace !== undefined && { namespace }) });
      return { secretPath, read };
    });
    const parts: SecretBelow[] = [];
    for (const { secretPath, read } of reads) {
      if (read.secret) parts.push({ secretPath, secret: read.secret });
      else if (!(read.error instanceof VaultNotFoundError && read.error.nothingStored)) {
        return { ...read, failedPath: secretPath };
      }
    }
    if (parts.length === 0) return { error: nothingBelow(kvVersion, address) };
    const conflict = conflictIn(address, parts);
    return conflict ? { error: conflict } : joinedRead(parts, new Date(), requestedAt);
  } catch (error) {
    if (isVaultError(error)) return { error };
    throw error;
  }
}

/** Several secrets as one read. @internal */
export function joinedRead(
  parts: readonly SecretBelow[],
  readAt: Date,
  requestedAt: number,
): Extract<SecretRead, { readAt: Date }> {
  const data: JsonObject = Object.fromEntries(parts.map((part) => [part.secretPath, part.secret.data]));
  // Stands for the versions of all: two reads with the same one have found the same.
  const createdTime = JSON.stringify(
    parts.map((part) => [part.secretPath, part.secret.version, part.secret.createdTime]),
  );
  return {
    secret: { data, version: 0, createdTime, destroyed: false, customMetadata: {} },
    readAt,
    requestedAt,
    parts,
  };
}

/** The names of a secret below the path of its source. @internal */
export function namesBelow(secretPath: string, part: Pick<SecretBelow, 'secretPath'>): string[] {
  return part.secretPath.slice(secretPath.length + 1).split('/');
}

async function pathsBelow(
  { secretPath, mountPath, below }: SecretAddress,
  list: (path: string) => Promise<readonly string[]>,
): Promise<string[]> {
  const refuse = (why: string) =>
    new VaultInvalidOptionError(
      `Cannot read all secrets below ${quoted(secretPath)} in mount "${mountPath}": ${why} Give a longer "secretPath", or name the secrets one by one.`,
      { mountPath },
    );
  const paths: string[] = [];
  let folders = [secretPath];
  let listed = 0;
  for (let depth = 1; folders.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw refuse(`there are more than ${MAX_DEPTH} levels of folders, the limit of one source.`);
    listed += folders.length;
    const next: string[] = [];
    // Limits are checked with every list, and not once a level is complete: each may be as large as a response can be.
    await inBatches(folders, async (folder) => {
      for (const name of await list(folder)) {
        const isFolder = name.endsWith('/');
        if (isFolder && below === 'direct') continue;
        const path = `${folder}/${isFolder ? name.slice(0, -1) : name}`;
        checkName(isFolder ? name.slice(0, -1) : name, path, mountPath);
        (isFolder ? next : paths).push(path);
      }
      if (listed + next.length > MAX_FOLDERS)
        throw refuse(`there are more than ${MAX_FOLDERS} folders, the limit of one source.`);
      if (paths.length > MAX_SECRETS)
        throw refuse(`there are more than ${MAX_SECRETS} secrets, the limit of one source.`);
    });
    folders = next;
  }
  return paths.sort();
}

/** Names become keys of the configuration, where dots separate containers. */
function checkName(name: string, path: string, mountPath: string): void {
  encodePath(path, `The name of a secret listed in mount "${mountPath}"`);
  if (!name.includes('/') && !name.includes('.') && !isReservedKey(name)) return;
  throw new VaultInvalidOptionError(
    `Secret ${quoted(path)} in mount "${mountPath}" has a name that cannot be a key of the configuration: dots separate containers there, and "__proto__" and the like are reserved. Rename the secret in Vault, or read secrets one by one, with "as" for this one.`,
    { mountPath },
  );
}

/** A key of one secret in the place of another secret, or of a folder. */
function conflictIn({ secretPath, mountPath }: SecretAddress, parts: readonly SecretBelow[]): VaultError | undefined {
  const containers = new Map<string, string>();
  for (const part of parts) {
    const names = namesBelow(secretPath, part);
    for (let length = 1; length <= names.length; length++) {
      const place = names.slice(0, length).join('.');
      if (!containers.has(place)) containers.set(place, part.secretPath);
    }
  }
  for (const part of parts) {
    const names = namesBelow(secretPath, part);
    for (const key of Object.keys(part.secret.data)) {
      const way = [...names, ...key.split('.')];
      for (let length = names.length + 1; length <= way.length; length++) {
        const other = containers.get(way.slice(0, length).join('.'));
        if (other === undefined) continue;
        return new VaultInvalidOptionError(
          `Secret ${quoted(part.secretPath)} in mount "${mountPath}" has a key ${quoted(key)}, which is the place of secret ${quoted(other)} in the configuration. Rename the key or the secret in Vault, or name the secrets one by one.`,
          { mountPath },
        );
      }
    }
  }
  return undefined;
}

function nothingBelow(kvVersion: 1 | 2, { secretPath, mountPath }: SecretAddress): VaultError {
  return new VaultNotFoundError(`There is no secret below ${quoted(secretPath)} in mount "${mountPath}".`, {
    path: `${mountPath}/${kvVersion === 2 ? 'metadata/' : ''}${secretPath}`,
    mountPath,
    nothingStored: true,
  });
}

async function inBatches<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += MAX_CONCURRENT_REQUESTS) {
    results.push(...(await Promise.all(items.slice(start, start + MAX_CONCURRENT_REQUESTS).map(act))));
  }
  return results;
}
