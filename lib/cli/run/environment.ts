import { hasReferenceForm } from '../../config/references/reference.js';
import type { ReferenceRules } from '../../config/references/reference.options.js';
import { isLiteral } from '../../config/references/reference.options.js';
import type { VariableProblem, VariableRules } from '../../config/variables/variables.js';
import { MAX_VARIABLES, variablesOf } from '../../config/variables/variables.js';
import { variablesNamedIn } from '../../auth/credential.js';
import { credentialVariables } from '../../auth/login-methods.js';
import type { VaultModuleOptions } from '../../vault.options.js';
import { CliError } from '../cli-command.js';

/**
 * Converts the configuration to environment variables.
 *
 * @throws CliError listing every name that cannot be used, without values
 * @internal
 */
export function environmentOf(
  values: Readonly<Record<string, unknown>>,
  rules: VariableRules = {},
): Record<string, string> {
  const { variables, problems } = variablesOf(values, rules);
  if (problems.length > 0) {
    throw new CliError(
      `The configuration cannot become environment variables:\n${problems.map((problem) => `  - ${describeProblem(problem)}`).join('\n')}`,
    );
  }
  return Object.fromEntries(variables);
}

/** Names in `omit` that match no variable, such as configuration keys, whose variables are therefore passed on. @internal */
export function unusedOmissions(
  values: Readonly<Record<string, unknown>>,
  { omit = [], ...rules }: VariableRules,
): string[] {
  if (omit.length === 0) return [];
  const { variables, problems } = variablesOf(values, rules);
  const names = new Set([...variables.keys(), ...problems.map(({ name }) => name)]);
  return omit.filter((name) => !names.has(name));
}

function describeProblem({ name, why, key, other }: VariableProblem): string {
  switch (why) {
    case 'name':
      return `${JSON.stringify(name)} is not a name for a variable: rename it with "map" in its source, or leave it out with --omit ${JSON.stringify(name)}.`;
    case 'dangerous':
      return `${name} changes how programs run: leave it out with --omit ${name}, or pass it on with --allow ${name}.`;
    case 'taken':
      return `${JSON.stringify(other)} and ${JSON.stringify(key)} would both be ${name}.`;
    case 'reference':
      return `${name} holds a value that looks like a reference, which the command might resolve: leave it out with --omit ${name}.`;
    case 'many':
      return `there would be more than ${MAX_VARIABLES} variables: read fewer keys, with "keys" in the sources.`;
    case 'nul':
      return `${name} holds a NUL character, which no variable can.`;
    case 'text':
      return `${name} cannot be written as JSON, because it holds itself or is nested too deep: leave it out with --omit ${name}.`;
  }
}

/**
 * The variables that a command inherits: all except `VAULT_*` and `BAO_*`, variables that the options read credentials from,
 * and references, whose resolved values are passed separately, subject to `--prefix` and `--omit`.
 *
 * @param references rules for references; `undefined` if they are disabled
 * @internal
 */
export function inheritedEnvironment(
  options: VaultModuleOptions,
  passVault: boolean,
  environment: NodeJS.ProcessEnv = process.env,
  references?: ReferenceRules,
): NodeJS.ProcessEnv {
  const credentials = [...variablesNamedIn(options), ...(options.auth ? credentialVariables(options.auth) : [])];
  const isWithheld = (name: string) => !passVault && (/^(VAULT|BAO)_/i.test(name) || credentials.includes(name));
  const isReference = (name: string, text = '') =>
    references !== undefined && hasReferenceForm(text) && !isLiteral(references, [name]);
  return Object.fromEntries(
    Object.entries(environment).filter(([name, text]) => !isWithheld(name) && !isReference(name, text)),
  );
}
