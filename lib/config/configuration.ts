import type { JsonObject } from '../client/response.js';
import type { VaultConfigurationError } from '../errors/index.js';
import { copyPlain } from './plain.js';
import type { SecretReads } from './sources/read-secrets.js';
import type { ResolvedSource } from './sources/vault-source.js';
import type { SecretFile } from './files/secret-files.js';
import type { PendingValues } from './refresh/kept-values.js';
import type { Origin } from './origins/value-origin.js';
import { hiding, NO_SECRET } from './origins/value-origin.js';
import type { ReferringVariables } from './variables/referring-variables.js';

/** One configuration value and its place. @internal */
export interface ConfigEntry {
  /** Where it goes: the containers, then the key. A key may itself contain dots. */
  readonly path: readonly [string, ...string[]];
  readonly value: unknown;
  readonly origin: Origin;
  /** Whether its name in capitals is asked for too. */
  readonly aliases?: boolean;
  /** Whether it is another name of a value that has an entry of its own. */
  readonly isAlias?: boolean;
  /** Variables that stand in the place of values inside of it, and the way there. */
  readonly variables?: readonly { readonly variable: string; readonly inside: readonly string[] }[];
}

/** Where a value inside of an entry came from. @internal */
export function originInside({ origin, variables = [] }: Omit<ConfigEntry, 'path'>, inside: readonly string[]): Origin {
  const way = entryId(inside);
  const found = variables.find((other) => entryId(other.inside) === way);
  return found ? hiding({ ...NO_SECRET, variable: found.variable }, origin) : origin;
}

/** Entries by `entryId` of their path; one per place. @internal */
export type ConfigEntries = ReadonlyMap<string, ConfigEntry>;

/** Another one for every path: a name with a NUL in it must not pass for a path. @internal */
export function entryId(path: readonly string[]): string {
  const names = path.some((name) => name.includes('\0')) ? path.map((name) => name.replaceAll('\0', '\0=')) : path;
  return names.length === 1 ? (names[0] as string) : names.join('\0.');
}

/** What a source that is not refreshed is put together from, references in it too. @internal */
export type HeldReads = ReadonlyMap<ResolvedSource, SecretReads>;

/** What one load has brought. @internal */
export interface LoadedConfiguration {
  readonly entries: ConfigEntries;
  /** The same with the variables that win over values of Vault and are left to `ConfigService`. */
  readonly complete: ConfigEntries;
  /** Variables of the environment that hold references, with their values. */
  readonly referring: ReferringVariables;
  /** Those variables. */
  readonly variables: ConfigEntries;
  /** What was read, by address. */
  readonly reads: SecretReads;
  /** For sources that are not refreshed. */
  readonly held: HeldReads;
  /** What is in Vault and has been kept from the application by `refresh` options. */
  readonly pending: PendingValues;
  /** To be written before the values are used: some of them are paths. */
  readonly files: readonly SecretFile[];
  /** Namespaces that only `forFeature` names and that could not be loaded: errors of the applications that use them. */
  readonly failedFeatures: ReadonlyMap<string, VaultConfigurationError>;
}

/**
 * A fresh object for `ConfigService` with everything in its place: applications that share a load must not share objects.
 * @internal
 */
export function valuesOf(entries: ConfigEntries): JsonObject {
  const values: JsonObject = {};
  entries.forEach(({ path, value }) => {
    const container = path.length === 1 ? values : containerAt(values, path.slice(0, -1));
    container[path[path.length - 1] as string] = copyPlain(value);
  });
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
