import type { Environment } from '../../options/env-file.js';
import { VaultInvalidOptionError } from '../../errors/index.js';

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}/g;

/**
 * Replaces `${NAME}` and `${NAME:-default}` by variables of the environment. As in a shell, `:-` also stands in for a
 * variable that is empty. What the text becomes is checked by whoever uses it: a value is no more trusted than an option.
 *
 * @throws VaultInvalidOptionError naming the variable that is not set, or for a `${` that is none of the two forms
 * @internal
 */
export function expand(text: string, environment: Environment, option: string): string {
  if (!text.includes('${')) return text;
  if (text.replace(VARIABLE, '').includes('${')) {
    throw new VaultInvalidOptionError(
      `"${option}" has a "\${" that starts no template. Write \${NAME} or \${NAME:-default}.`,
    );
  }
  return text.replace(VARIABLE, (_, name: string, standIn: string | undefined) => {
    const value = (Object.hasOwn(environment, name) ? environment[name] : undefined) || standIn;
    if (value !== undefined) return value;
    throw new VaultInvalidOptionError(
      `"${option}" takes its value from the variable ${name}, which is not set. Set it, or give a default: \${${name}:-default}.`,
    );
  });
}
