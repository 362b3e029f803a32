import { assertExactNumbers } from '../client/exact-numbers.js';
import type { JsonObject } from '../client/response.js';
import { badResponse, dataOf, isJsonObject, textList } from '../client/response.js';
import type { VaultRequest, VaultResponse } from '../client/vault-request.js';
import type { Kv2Metadata, Kv2Secret, Kv2Version } from './kv2.types.js';

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
    throw badResponse(call, 'the answer has not the shape of a KV v2 secret', NOT_V2);
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
  if (!isJsonObject(versions)) throw badResponse(call, 'the answer has not the shape of KV v2 metadata', NOT_V2);
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
  if (!Array.isArray(keys)) throw badResponse(call, 'the answer has no list of keys');
  const names = textList(keys);
  if (names.length < keys.length) throw badResponse(call, 'the list of keys holds more than texts');
  return names;
}

function parseVersion(metadata: JsonObject, call: Call): Kv2Version {
  const { version, deletion_time: deletionTime } = metadata;
  if (typeof version !== 'number') throw badResponse(call, 'the answer names no version', NOT_V2);
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
