import type { JsonObject } from '../../client/response.js';
import type { Kv2Secret } from '../../engines/kv2.types.js';
import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import type { ConfigLayer } from '../config-layer.js';
import { fileEntries } from '../files/file-entries.js';
import type { MappedKey } from './key-mapping.js';
import { mapKeys } from './key-mapping.js';
import { put } from './merge-entries.js';
import type { SecretRead, SecretReads } from '../sources/read-secrets.js';
import { addressId } from '../sources/read-secrets.js';
import { namesBelow } from '../sources/secrets-below.js';
import { reservedKeyIn } from '../reserved-keys.js';
import type { SecretFile } from '../files/secret-files.js';
import { originOf } from '../origins/value-origin.js';
import type { ResolvedSource } from '../sources/vault-source.js';

/** @internal */
export interface AssembledFile {
  readonly entry: ConfigEntry;
  readonly file: SecretFile;
}

/** A layer with its values, and every key that was missing or refused. @internal */
export interface AssembledLayer {
  readonly entries: ConfigEntries;
  /** Files to write, each with the entry that holds its path. No schema sees those: it describes what is in Vault. */
  readonly files: readonly AssembledFile[];
  readonly failures: readonly VaultError[];
}

/** What a source is put together from. @internal */
export interface SourceView {
  readonly reads: SecretReads;
  /** Replaces references in values, where that is asked for. */
  readonly resolve?: ResolveValue | undefined;
}

/** Gives a value with the references in it resolved: its name for errors, and where it goes. @internal */
type ResolveValue = (value: unknown, name: string, paths: readonly (readonly string[])[]) => unknown;

/**
 * Puts a layer together from what was read: later sources win, key by key. A value is replaced as a whole, objects
 * included; only the containers that `as` makes are merged. Sources that could not be read are passed over: whether that
 * is a failure is decided where they are read.
 *
 * @param viewOf what was read, for each source
 * @param folder where files go that have no path of their own
 * @internal
 */
export function assembleLayer(
  { path, sources }: ConfigLayer,
  viewOf: (source: ResolvedSource) => SourceView,
  folder: string,
): AssembledLayer {
  const entries = new Map<string, ConfigEntry>();
  const failures: VaultError[] = [];
  const files: AssembledFile[] = [];
  for (const source of sources) {
    const { reads, resolve } = viewOf(source);
    const read = reads.get(addressId(source));
    if (!read?.secret) continue;
    for (const part of secretsOf(source, read, path)) {
      const { containers } = part;
      const refusal = refusalOf(part.source, part.secret.data);
      if (refusal) {
        failures.push(refusal);
        continue;
      }
      const origin = originOf(part.source, { ...read, secret: part.secret });
      const { keys, failures: failed } = mapKeys(part.source, part.secret, containers);
      failures.push(...failed);
      const values = resolve ? resolved(part.source, part.secret.data, keys, resolve) : part.secret.data;
      for (const { key, path } of keys) {
        const value = values[key];
        put(entries, source.aliases ? { path, value, origin, aliases: true } : { path, value, origin });
      }
      const found = fileEntries(part.source, { ...part.secret, data: values }, containers, keys, folder);
      failures.push(...found.failures);
      for (const { path, file } of found.files) files.push({ file, entry: { path, value: file.path, origin } });
    }
  }
  return { entries, files, failures };
}

/** A secret of a source, and the containers its keys go into. @internal */
export interface SourceSecret {
  readonly source: ResolvedSource;
  readonly secret: Kv2Secret<JsonObject>;
  readonly containers: readonly string[];
}

/**
 * The one secret of a source, or those below its path.
 *
 * @param path containers of the layer
 * @internal
 */
export function secretsOf(
  source: ResolvedSource,
  { secret, parts }: Extract<SecretRead, { readAt: Date }>,
  path: readonly string[],
): SourceSecret[] {
  const containers = [...path, ...(source.as?.split('.') ?? [])];
  if (!parts) return [{ source, secret, containers }];
  return parts.map((part) => ({
    source: { ...source, secretPath: part.secretPath },
    secret: part.secret,
    containers: [...containers, ...namesBelow(source.secretPath, part)],
  }));
}

/** The values that are taken or written to files, references in them resolved; each once, so that each fails once. */
function resolved(
  { secretPath, files = [] }: ResolvedSource,
  data: JsonObject,
  keys: readonly MappedKey[],
  resolve: ResolveValue,
): JsonObject {
  const taken = new Set([...keys, ...files].map(({ key }) => key).filter((key) => Object.hasOwn(data, key)));
  const paths = new Map<string, (readonly string[])[]>();
  for (const { key, path } of keys) paths.set(key, [...(paths.get(key) ?? []), path]);
  const nameOf = (key: string) => `the key ${JSON.stringify(key)} of secret "${secretPath}"`;
  return Object.fromEntries([...taken].map((key) => [key, resolve(data[key], nameOf(key), paths.get(key) ?? [])]));
}

function refusalOf({ mountPath, secretPath }: ResolvedSource, data: JsonObject): VaultError | undefined {
  const reserved = reservedKeyIn(data);
  return reserved === undefined
    ? undefined
    : new VaultInvalidOptionError(
        `Secret "${secretPath}" in mount "${mountPath}" has a key called "${reserved}", which no configuration may have. Rename it in Vault.`,
        { path: `${mountPath}/data/${secretPath}`, mountPath },
      );
}
