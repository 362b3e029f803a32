import type { JsonObject } from '../../client/response.js';
import type { Kv2Secret } from '../../engines/kv2.types.js';
import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigEntry } from '../configuration.js';
import { entryId } from '../configuration.js';
import type { MappedKey } from '../assembly/key-mapping.js';
import { collision, missingKey } from '../assembly/key-mapping.js';
import type { SecretFile } from './secret-files.js';
import { filePath } from './secret-file.options.js';
import type { ResolvedSource } from '../sources/vault-source.js';

/** A file, and where in the configuration its path goes. @internal */
export interface FileEntry {
  readonly path: ConfigEntry['path'];
  readonly file: SecretFile;
}

// No part can match what begins the next one, so that the time is linear whatever a secret holds.
const BASE64 = /^[A-Za-z0-9+/\s]*(?:=\s*){0,2}$/;

/**
 * The files that a source asks for.
 *
 * @param containers where the keys of the source go, unless they are mapped
 * @param keys where they go
 * @internal
 */
export function fileEntries(
  source: ResolvedSource,
  secret: Kv2Secret<JsonObject>,
  containers: readonly string[],
  keys: readonly MappedKey[],
  folder: string,
): { readonly files: readonly FileEntry[]; readonly failures: readonly VaultError[] } {
  if (!source.files) return { files: [], failures: [] };
  const files: FileEntry[] = [];
  const failures: VaultError[] = [];
  const places = new Map<string, string>();
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
    const id = entryId(place);
    const other = places.get(id);
    if (other !== undefined && other !== file.key) failures.push(collision(source, other, file.key, place, 'name'));
    places.set(id, file.key);
    const content = (): Buffer => Buffer.from(textOf(value), file.encoding ?? 'utf8');
    const valuePath = mapped.get(file.key);
    files.push({
      path: place as unknown as ConfigEntry['path'],
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
