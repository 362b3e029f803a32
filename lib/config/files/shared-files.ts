import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { entryId } from '../configuration.js';
import type { ConfigEntry } from '../configuration.js';
import type { SecretFile } from './secret-files.js';

type Placed = { readonly entry: ConfigEntry; readonly file: SecretFile };

/**
 * The files to write, one for each path. Of several that stand in one place of the configuration the last one stays, as
 * with values; two values that are to go into one file are a failure, since one of them would be lost.
 *
 * @param assembled files of layers, in ascending precedence
 * @returns the files, and the failure of each layer that has one
 * @internal
 */
export function withoutSharedFiles<L extends { readonly files: readonly Placed[] }>(
  assembled: readonly L[],
): { readonly files: readonly SecretFile[]; readonly failures: ReadonlyMap<L, VaultError> } {
  const placed = new Map<string, Placed>();
  const failures = new Map<L, VaultError>();
  for (const layer of assembled) {
    for (const { entry, file } of layer.files) {
      const other = placed.get(file.path);
      if (other && entryId(other.entry.path) !== entryId(entry.path)) {
        const message = `Cannot write ${file.what} to the file ${JSON.stringify(file.path)}: ${other.file.what} goes there. Give one of them another "path" in "files".`;
        failures.set(layer, new VaultInvalidOptionError(message));
      } else placed.set(file.path, { entry, file });
    }
  }
  return { files: [...placed.values()].map(({ file }) => file), failures };
}
