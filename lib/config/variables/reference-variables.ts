import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigTree } from '../config-tree.js';
import type { VariableProblem } from './variables-of.js';
import { variableText } from './variables-of.js';

/** Environment variables that hold references, as texts for `process.env`. @internal */
export interface VariableTexts {
  readonly texts: ReadonlyMap<string, string>;
  /** Variables whose values cannot be written to the environment. */
  readonly problems: readonly VariableProblem[];
}

/** @param variables resolved @internal */
export function variableTexts(variables: ConfigTree): VariableTexts {
  const texts = new Map<string, string>();
  const problems: VariableProblem[] = [];
  for (const { path, value } of variables.leaves()) {
    const [name] = path as [string];
    const { text, why } = variableText(value);
    if (why === undefined) texts.set(name, text);
    else problems.push({ name, why, key: name });
  }
  return { texts, problems };
}

/** The error for a variable that factories cannot be given. @internal */
export function unusableVariable({ name, why }: VariableProblem): VaultInvalidOptionError {
  const what = {
    nul: 'has a NUL character, which no variable can have',
    reference: 'looks like a reference itself, which is not followed',
  }[why as string];
  return new VaultInvalidOptionError(
    `${name} refers to a value that ${what ?? 'cannot be written as text'}, and the factories in "config.load" would read it from process.env. Store another value in Vault, or read the secret with "config.sources".`,
  );
}
