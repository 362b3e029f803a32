import { assertExactNumbers } from '../client/exact-numbers.js';
import type { JsonObject, VaultRequest, VaultResponse } from '../client/vault-request.js';
import { badResponse, dataOf, isJsonObject, textList } from '../client/vault-request.js';

/**
 * Metadata of one version of a KV v2 secret.
 * @publicApi
 */
export interface Kv2Version {
  readonly version: number;
  /** RFC 3339. */
  readonly createdTime: string;
  /** RFC 3339, once deleted or scheduled for deletion. */
  readonly deletionTime?: string;
  /** Whether its data was removed permanently. */
  readonly destroyed: boolean;
}

/**
 * A KV v2 secret as read.
 * @publicApi
 */
export interface Kv2Secret<T> extends Kv2Version {
  /** The values as stored. `T` is not checked. */
  readonly data: T;
  /** Custom key-value metadata of the secret. */
  readonly customMetadata: Readonly<Record<string, string>>;
}

/**
 * Metadata of a KV v2 secret as a whole.
 * @publicApi
 */
export interface Kv2Metadata {
  /** Newest version, even if it is deleted. */
  readonly currentVersion: number;
  readonly oldestVersion: number;
  /** RFC 3339. */
  readonly createdTime: string;
  /** RFC 3339. */
  readonly updatedTime: string;
  /** Number of versions to keep; 0: the setting of the mount. */
  readonly maxVersions: number;
  /** Whether writes need `cas`. */
  readonly casRequired: boolean;
  /** Vault duration such as `3h25m19s`; `0s` = never. */
  readonly deleteVersionAfter: string;
  readonly customMetadata: Readonly<Record<string, string>>;
  /** All known versions, oldest first. */
  readonly versions: readonly Kv2Version[];
}

type Call = Pick<VaultRequest, 'operation' | 'path'>;

const NOT_V2 =
  'Is the mount a KV v2 engine ("bao secrets list -detailed")? For version 1 use "kv1()", or "kvVersion: 1" in a source.';

/** @internal */
export function parseSecret<T>(response: VaultResponse, call: Call): Kv2Secret<T> {
  const { data, metadata } = dataOf(response, call, NOT_V2);
  if (data === null && isJsonObject(metadata)) {
    throw badResponse(call, 'this version was written without data ("data": null)', 'Write a new version.', 'no-data');
  }
  if (!isJsonObject(data) || !isJsonObject(metadata))
    throw badResponse(call, 'the response does not have the shape of a KV v2 secret', NOT_V2);
  assertExactNumbers(response, ['data', 'data'], call);
  // One object, filled in: a copy of the version's fields would cost more than all of the parsing here.
  const secret = parseVersion(metadata, call) as { -readonly [K in keyof Kv2Secret<T>]: Kv2Secret<T>[K] };
  secret.data = data as T;
  secret.customMetadata = textPairs(metadata['custom_metadata']);
  return secret;
}

/** @internal */
export function parseWritten(response: VaultResponse, call: Call): Kv2Version {
  return parseVersion(dataOf(response, call, NOT_V2), call);
}

/** @internal */
export function parseMetadata(response: VaultResponse, call: Call): Kv2Metadata {
  const data = dataOf(response, call, NOT_V2);
  const { versions } = data;
  if (!isJsonObject(versions))
    throw badResponse(call, 'the response does not have the shape of KV v2 metadata', NOT_V2);
  return {
    currentVersion: count(data['current_version']),
    oldestVersion: count(data['oldest_version']),
    createdTime: text(data['created_time']),
    updatedTime: text(data['updated_time']),
    maxVersions: count(data['max_versions']),
    casRequired: data['cas_required'] === true,
    deleteVersionAfter: text(data['delete_version_after']),
    customMetadata: textPairs(data['custom_metadata']),
    versions: Object.entries(versions)
      .filter((entry): entry is [string, JsonObject] => isJsonObject(entry[1]))
      .map(([version, entry]) => parseVersion({ ...entry, version: Number(version) }, call))
      .sort((a, b) => a.version - b.version),
  };
}

/** @internal */
export function parseKeys(response: VaultResponse, call: Call): string[] {
  const { keys } = dataOf(response, call);
  if (!Array.isArray(keys)) throw badResponse(call, 'the response has no list of keys');
  const names = textList(keys);
  if (names.length < keys.length) throw badResponse(call, 'the list of keys holds more than texts');
  return names;
}

function parseVersion(metadata: JsonObject, call: Call): Kv2Version {
  const { version, deletion_time: deletionTime } = metadata;
  if (typeof version !== 'number') throw badResponse(call, 'the response names no version', NOT_V2);
  const parsed: { -readonly [K in keyof Kv2Version]: Kv2Version[K] } = {
    version,
    createdTime: text(metadata['created_time']),
    destroyed: metadata['destroyed'] === true,
  };
  if (typeof deletionTime === 'string' && deletionTime !== '') parsed.deletionTime = deletionTime;
  return parsed;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function textPairs(value: unknown): Record<string, string> {
  return isJsonObject(value)
    ? Object.fromEntries(
        Object.entries(value)
          .filter(([, entry]) => typeof entry !== 'object')
          .map(([key, entry]) => [key, String(entry)]),
      )
    : {};
}
