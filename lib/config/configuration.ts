import type { JsonObject } from '../client/response.js';
import type { VaultError } from '../errors/index.js';
import { copyPlain } from './plain.js';
import type { SecretReads } from './read-secrets.js';
import type { SecretFile } from './secret-files.js';

/**
 * Where a configuration value came from. Never holds the value.
 * @publicApi
 */
export interface VaultValueOrigin {
  readonly key: string;
  /** The environment variable that holds the value, or the reference to it. */
  readonly variable?: string;
  readonly mountPath: string;
  readonly secretPath: string;
  readonly version: number;
  /** When the version was written (RFC 3339). */
  readonly createdTime: string;
  /** When it was read into this process. */
  readonly loadedAt: Date;
  /** Sources of lower priority that have this key too and were passed over, nearest first. */
  readonly hides: readonly Omit<VaultValueOrigin, 'hides'>[];
}

/** The origin of a value that is in no secret. @internal */
export const NO_SECRET = { mountPath: '', secretPath: '', version: 0, createdTime: '', loadedAt: new Date(0) };

/** One configuration value and its place. @internal */
export interface ConfigEntry {
  /** Where it goes: the containers, then the key. A key may itself contain dots. */
  readonly path: readonly [string, ...string[]];
  readonly value: unknown;
  readonly origin: VaultValueOrigin;
  /** Whether its name in capitals is asked for too. */
  readonly aliases?: boolean;
}

/** Entries by `entryId` of their path; one per place. @internal */
export type ConfigEntries = ReadonlyMap<string, ConfigEntry>;

/** @internal */
export function entryId(path: readonly string[]): string {
  return path.length === 1 ? (path[0] as string) : path.join('\0');
}

/** What one load has brought. @internal */
export interface LoadedConfiguration {
  readonly entries: ConfigEntries;
  /** What was read, by address. */
  readonly reads: SecretReads;
  /** To be written before the values are used: some of them are paths. */
  readonly files: readonly SecretFile[];
  /** Namespaces that only `forFeature` names and that could not be loaded: errors of the applications that use them. */
  readonly failedFeatures: ReadonlyMap<string, VaultError>;
}

/**
 * A fresh object for `ConfigService` with everything in its place: applications that share a load must not share objects.
 * @internal
 */
export function valuesOf(entries: ConfigEntries): JsonObject {
  const values: JsonObject = {};
  for (const { path, value } of entries.values()) {
    const container = path.length === 1 ? values : containerAt(values, path.slice(0, -1));
    container[path[path.length - 1] as string] = copyPlain(value);
  }
  return values;
}

/** The object at a path, made where it is missing. @internal */
export function containerAt(values: JsonObject, path: readonly string[]): JsonObject {
  let container = values;
  for (const part of path) {
    const existing = Object.hasOwn(container, part) ? container[part] : undefined;
    const next = typeof existing === 'object' && existing !== null ? (existing as JsonObject) : {};
    container[part] = next;
    container = next;
  }
  return container;
}
