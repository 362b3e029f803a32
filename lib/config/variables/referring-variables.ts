import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigEntries } from '../configuration.js';
import type { VariableProblem } from './variables-of.js';
import { variableText } from './variables-of.js';

/** Variables of the environment that hold references, as texts for `process.env`. @internal */
export interface ReferringVariables {
  readonly texts: ReadonlyMap<string, string>;
  /** Those whose values no variable can have. */
  readonly problems: readonly VariableProblem[];
}

/** @param entries the variables, resolved @internal */
export function referringVariables(entries: ConfigEntries): ReferringVariables {
  const texts = new Map<string, string>();
  const problems: VariableProblem[] = [];
  for (const [name, { value }] of entries) {
    const { text, why } = variableText(value);
    if (why === undefined) texts.set(name, text);
    else problems.push({ name, why, key: name });
  }
  return { texts, problems };
}

/** The error for a variable that factories cannot be given. @internal */
export function unusable({ name, why }: VariableProblem): VaultInvalidOptionError {
  const what = {
    nul: 'has a NUL character, which no variable can have',
    reference: 'looks like a reference itself, which is not followed',
  }[why as string];
  return new VaultInvalidOptionError(
    `${name} refers to a value that ${what ?? 'cannot be written as text'}, and the factories in "config.load" would read it from process.env. Store another value in Vault, or read the secret with "config.sources".`,
  );
}
