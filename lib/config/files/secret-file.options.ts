import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { Shape } from '../../options/check-options.js';
import { checkOptions } from '../../options/check-options.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { isKeyPath } from '../reserved-keys.js';

/**
 * A value that is also written to a file, for libraries that need one. The file has mode 0600, is replaced when a
 * refresh changes the value, and is removed when the application closes.
 * @publicApi
 */
export interface VaultSecretFile {
  /** Key of the value, by its name in Vault. */
  readonly key: string;
  /** Path of the file; its folder must exist. Default: a file in a new private folder for temporary files. */
  readonly path?: string;
  /** Key of the configuration that contains the path. Default: the name of the value followed by `_FILE`. */
  readonly name?: string;
  /** `base64`: the value is binary data in base64, such as a key store. Default: `utf8`. */
  readonly encoding?: 'utf8' | 'base64';
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && !value.includes('\0') ? undefined : 'a string, not empty';

const SHAPE = {
  key: text,
  path: text,
  name: (value) => (typeof value === 'string' && isKeyPath(value) ? undefined : 'a key such as "TLS_KEY_FILE"'),
  encoding: (value) => (value === 'utf8' || value === 'base64' ? undefined : '"utf8" or "base64"'),
} satisfies Record<keyof VaultSecretFile, Shape[string]>;

/** @throws VaultInvalidOptionError naming the entry @internal */
export function resolveFiles(files: readonly (string | VaultSecretFile)[], option: string): VaultSecretFile[] {
  return files.map((given, index) => {
    const name = `${option}[${index}]`;
    const file = typeof given === 'string' ? { key: given } : given;
    checkOptions(file, SHAPE, name);
    if (file.key === undefined) throw new VaultInvalidOptionError(`"${name}.key" is missing.`);
    return file.path === undefined ? file : { ...file, path: resolve(file.path) };
  });
}

/** The path of a file: the same at every refresh, and another one for every value. @internal */
export function filePath(folder: string, { path }: VaultSecretFile, place: readonly string[]): string {
  if (path !== undefined) return path;
  const readable = place
    .join('.')
    .replace(/[^\w.-]/g, '_')
    .slice(0, 60);
  const unique = createHash('sha256').update(JSON.stringify(place)).digest('hex').slice(0, 8);
  return join(folder, `${unique}-${readable}`);
}
