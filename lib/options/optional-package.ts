import { VaultInvalidOptionError } from '../errors/index.js';

/**
 * The error for a package that only some ways of logging in need, and that is therefore installed by those who use them.
 * The import itself stands in a `try`: bundlers take it for optional then.
 *
 * @param name package and major version, as npm takes them
 * @param purpose what it is needed for, in words that begin a sentence
 * @param error what the import has thrown
 * @internal
 */
export function missingPackage(name: string, purpose: string, error: unknown): VaultInvalidOptionError {
  const { code } = error as { code?: unknown };
  const reason = typeof code === 'string' ? code : 'it failed while loading';
  return new VaultInvalidOptionError(
    `${purpose} needs the package "${name.replace(/(?<=.)@.*$/, '')}", which could not be loaded (${reason}). Install it: npm install ${name}`,
    { reason },
  );
}
