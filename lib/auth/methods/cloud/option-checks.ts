import { VaultInvalidOptionError } from '../../../errors/index.js';

/** A check for options that are one of a few words. @internal */
export const oneOf =
  (...words: readonly string[]) =>
  (value: unknown): string | undefined =>
    words.includes(value as string) ? undefined : `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`;

/** A check for names that are sent as they are: text, and not empty. @internal */
export const name = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? undefined : 'a string that is not empty';

/**
 * Refuses options that belong to another type of the same login method: they would be ignored without a word.
 *
 * @param optionsOf the options of each type that not all have
 * @throws VaultInvalidOptionError naming the option and the type it is for
 * @internal
 */
export function refuseOthers(
  auth: { readonly method: string },
  type: string,
  optionsOf: Readonly<Record<string, readonly string[]>>,
): void {
  const own = optionsOf[type] ?? [];
  for (const [other, options] of Object.entries(optionsOf)) {
    const misplaced = options.find(
      (option) => !own.includes(option) && (auth as Record<string, unknown>)[option] !== undefined,
    );
    if (misplaced === undefined) continue;
    throw new VaultInvalidOptionError(
      `"auth.${misplaced}" is for type "${other}" of the method "${auth.method}", and the type here is "${type}". Set "auth.type" or leave the option out.`,
    );
  }
}
