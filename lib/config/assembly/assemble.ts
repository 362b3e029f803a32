import type { JsonObject } from '../../client/vault-request.js';
import type { Kv2Secret } from '../../engines/kv2-responses.js';
import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigLayer } from '../plan.js';
import type { ConfigLeaf, Path } from '../config-tree.js';
import { layerFiles } from '../files/layer-files.js';
import type { MappedKey } from './map-keys.js';
import { mapKeys } from './map-keys.js';
import type { SecretRead, SecretReads } from '../sources/read-secrets.js';
import { namesBelow } from '../sources/secrets-below.js';
import { reservedKeyIn } from '../reserved-keys.js';
import type { SecretFile } from '../files/secret-files.js';
import { originOf } from '../origins.js';
import type { ResolvedSource } from '../sources/vault-source.js';

/** A layer with its values, and an error for each key that is missing or unusable. @internal */
export interface AssembledLayer {
  readonly layer: ConfigLayer;
  /** In ascending precedence; one may be inside another, or in its place. */
  readonly leaves: readonly ConfigLeaf[];
  /** Files to write. Their leaves hold the paths; schemas do not see them, because they describe what is in Vault. */
  readonly files: readonly LayerFile[];
  readonly failures: readonly VaultError[];
}

/** A file, and the leaf that holds its path. @internal */
export interface LayerFile {
  readonly leaf: ConfigLeaf;
  readonly file: SecretFile;
}

/** What the values of a source come from. @internal */
export interface SourceView {
  readonly reads: SecretReads;
  /** Resolves references in values, if that is enabled. */
  readonly resolve?: ResolveValue | undefined;
}

/** @param name how errors call the value @param paths its places @internal */
type ResolveValue = (value: unknown, name: string, paths: readonly Path[]) => unknown;

/**
 * Assembles a layer: later sources override earlier ones, key by key. Sources that could not be read are skipped; whether
 * that is a failure is decided where they are read.
 *
 * @param viewOf the reads for a source
 * @param transform applied to each value
 * @param folder for files without a path of their own
 * @internal
 */
export function assembleLayer(
  layer: ConfigLayer,
  viewOf: (source: ResolvedSource) => SourceView,
  folder: string,
  transform: (leaf: ConfigLeaf) => ConfigLeaf = (leaf) => leaf,
): AssembledLayer {
  const leaves: ConfigLeaf[] = [];
  const failures: VaultError[] = [];
  const files: LayerFile[] = [];
  for (const source of layer.sources) {
    const { reads, resolve } = viewOf(source);
    const read = reads.get(source);
    if (!read?.secret) continue;
    for (const part of secretsOf(source, read, layer.path)) {
      const { containers } = part;
      const reserved = reservedKeyError(part.source, part.secret.data);
      if (reserved) {
        failures.push(reserved);
        continue;
      }
      const origin = originOf(part.source, { ...read, secret: part.secret });
      const { keys, failures: failed } = mapKeys(part.source, part.secret, containers);
      failures.push(...failed);
      const values = resolve ? resolved(part.source, part.secret.data, keys, resolve) : part.secret.data;
      const aliases = source.aliases ? true : undefined;
      for (const { key, path } of keys) leaves.push(transform({ path, value: values[key], origin, aliases }));
      const found = layerFiles(part.source, { ...part.secret, data: values }, containers, keys, folder);
      failures.push(...found.failures);
      for (const { path, file } of found.files) files.push({ file, leaf: { path, value: file.path, origin } });
    }
  }
  return { layer, leaves, files, failures };
}

/** A secret of a source, and the path that its keys go below. @internal */
export interface SourceSecret {
  readonly source: ResolvedSource;
  readonly secret: Kv2Secret<JsonObject>;
  readonly containers: Path;
}

/**
 * The one secret of a source, or the secrets below its path.
 *
 * @param path of the layer
 * @internal
 */
export function secretsOf(
  source: ResolvedSource,
  { secret, parts }: Extract<SecretRead, { readAt: Date }>,
  path: Path,
): SourceSecret[] {
  const containers = [...path, ...(source.as?.split('.') ?? [])];
  if (!parts) return [{ source, secret, containers }];
  return parts.map((part) => ({
    source: { ...source, secretPath: part.secretPath },
    secret: part.secret,
    containers: [...containers, ...namesBelow(source.secretPath, part)],
  }));
}

/** The values that are used or written to files, references resolved; each once, so that each fails once. */
function resolved(
  { secretPath, files = [] }: ResolvedSource,
  data: JsonObject,
  keys: readonly MappedKey[],
  resolve: ResolveValue,
): JsonObject {
  const taken = new Set([...keys, ...files].map(({ key }) => key).filter((key) => Object.hasOwn(data, key)));
  const paths = new Map<string, Path[]>();
  for (const { key, path } of keys) paths.set(key, [...(paths.get(key) ?? []), path]);
  const nameOf = (key: string) => `the key ${JSON.stringify(key)} of secret "${secretPath}"`;
  return Object.fromEntries([...taken].map((key) => [key, resolve(data[key], nameOf(key), paths.get(key) ?? [])]));
}

function reservedKeyError({ mountPath, secretPath }: ResolvedSource, data: JsonObject): VaultError | undefined {
  const reserved = reservedKeyIn(data);
  return reserved === undefined
    ? undefined
    : new VaultInvalidOptionError(
        `Secret "${secretPath}" in mount "${mountPath}" has a key called "${reserved}", which no configuration may have. Rename it in Vault.`,
        { path: `${mountPath}/data/${secretPath}`, mountPath },
      );
}
