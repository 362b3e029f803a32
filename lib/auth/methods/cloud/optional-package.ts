import { VaultInvalidOptionError } from '../../../errors/index.js';

/**
 * Loads a package that only some ways of logging in need, and that is therefore installed by those who use them.
 *
 * @param name package and major version, as npm takes them
 * @param purpose what it is needed for, in words that begin a sentence
 * @param load imports it; written out by the caller, so that bundlers see the name
 * @throws VaultInvalidOptionError with the command that installs it
 * @internal
 */
export async function loadOptionalPackage<T>(name: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code } = error as { code?: unknown };
    const reason = typeof code === 'string' ? code : 'it failed while loading';
    throw new VaultInvalidOptionError(
      `${purpose} needs the package "${name.replace(/(?<=.)@.*$/, '')}", which could not be loaded (${reason}). Install it: npm install ${name}`,
      { reason },
    );
  }
}
