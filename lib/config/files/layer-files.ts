import type { JsonObject } from '../../client/vault-request.js';
import type { Kv2Secret } from '../../engines/kv2-responses.js';
import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { Path } from '../config-tree.js';
import { PathMap } from '../config-tree.js';
import type { AssembledLayer, LayerFile } from '../assembly/assemble.js';
import type { MappedKey } from '../assembly/map-keys.js';
import { collision, missingKey } from '../assembly/map-keys.js';
import type { SecretFile } from './secret-files.js';
import { filePath } from './secret-file.options.js';
import type { ResolvedSource } from '../sources/vault-source.js';

/** A file, and the place of its path in the configuration. @internal */
export interface PlacedFile {
  readonly path: Path;
  readonly file: SecretFile;
}

// No part can match what begins the next one, so that the time is linear for any secret.
const BASE64 = /^[A-Za-z0-9+/\s]*(?:=\s*){0,2}$/;

/**
 * The files of the `files` option of a source.
 *
 * @param containers path that the keys of the source go below, unless they are mapped
 * @param keys their places
 * @internal
 */
export function layerFiles(
  source: ResolvedSource,
  secret: Kv2Secret<JsonObject>,
  containers: Path,
  keys: readonly MappedKey[],
  folder: string,
): { readonly files: readonly PlacedFile[]; readonly failures: readonly VaultError[] } {
  if (!source.files) return { files: [], failures: [] };
  const files: PlacedFile[] = [];
  const failures: VaultError[] = [];
  const places = new PathMap<string>();
  const mapped = new Map(keys.map((entry) => [entry.key, entry.path]));
  for (const file of source.files) {
    if (!Object.hasOwn(secret.data, file.key)) {
      failures.push(missingKey(source, secret, file.key, 'files'));
      continue;
    }
    const what = `the key ${JSON.stringify(file.key)} of secret "${source.secretPath}"`;
    const value = secret.data[file.key];
    if (file.encoding === 'base64' && (typeof value !== 'string' || !BASE64.test(value))) {
      failures.push(
        new VaultInvalidOptionError(
          `Cannot write ${what} to a file: it is not in base64. Store it so, or leave "encoding" out.`,
        ),
      );
      continue;
    }
    const place =
      file.name === undefined
        ? withSuffix(mapped.get(file.key) ?? [...containers, file.key])
        : [...containers, ...file.name.split('.')];
    const other = places.get(place);
    if (other !== undefined && other !== file.key) failures.push(collision(source, other, file.key, place, 'name'));
    places.set(place, file.key);
    const content = (): Buffer => Buffer.from(textOf(value), file.encoding ?? 'utf8');
    const valuePath = mapped.get(file.key);
    files.push({
      path: place,
      file: {
        path: filePath(folder, file, place),
        what,
        content,
        keys: [place.join('.'), ...(valuePath ? [valuePath.join('.')] : [])],
      },
    });
  }
  return { files, failures };
}

function withSuffix(names: readonly string[]): string[] {
  return [...names.slice(0, -1), `${names[names.length - 1] ?? ''}_FILE`];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/**
 * The files to write, one for each path. Of several files in one place of the configuration the last one is written, as with
 * values; two values for one file in different places are a failure, since one of them would be lost.
 *
 * @param layers in ascending precedence
 * @returns the files, and the failure of each layer that has one
 * @internal
 */
export function withoutSharedFiles(layers: readonly AssembledLayer[]): {
  readonly files: readonly SecretFile[];
  readonly failures: ReadonlyMap<AssembledLayer, VaultError>;
} {
  const placed = new Map<string, LayerFile>();
  const failures = new Map<AssembledLayer, VaultError>();
  for (const layer of layers) {
    for (const { leaf, file } of layer.files) {
      const other = placed.get(file.path);
      if (other && JSON.stringify(other.leaf.path) !== JSON.stringify(leaf.path)) {
        const message = `Cannot write ${file.what} to the file ${JSON.stringify(file.path)}: ${other.file.what} goes there. Give one of them another "path" in "files".`;
        failures.set(layer, new VaultInvalidOptionError(message));
      } else placed.set(file.path, { leaf, file });
    }
  }
  return { files: [...placed.values()].map(({ file }) => file), failures };
}
