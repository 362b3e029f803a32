import type { VaultError } from '../../errors/index.js';
import { VaultConfigurationError, VaultInvalidOptionError } from '../../errors/index.js';
import type { Configuration } from '../configuration.js';
import { claimVariable, originalVariable, releaseVariable } from '../../options/process-environment.js';
import { valueAt } from '../plain.js';
import type { VariableProblem, VariableTexts } from './variables.js';
import { MAX_VARIABLES, variableName, variablesOf } from './variables.js';

/**
 * Keys that are written to `process.env` too; `true` for all of them, `references` for the variables that hold references.
 * @internal
 */
export type ExportedKeys = true | 'references' | readonly string[];

/** Of a variable with its name: Linux starts no program with a longer one (`MAX_ARG_STRLEN`). */
const MAX_VARIABLE_BYTES = 128 * 1024 - 2;
/** Of all together: half of what Linux starts a program with by default. */
const MAX_TOTAL_BYTES = 1024 * 1024;

type Values = Readonly<Record<string, unknown>>;

/** Whether keys of the configuration are exported, and not only variables that hold references. @internal */
export function exportsKeys(keys: ExportedKeys | undefined): boolean {
  return keys !== undefined && keys !== 'references';
}

/**
 * The variables for these values. A listed key that does not exist has none.
 *
 * @throws VaultConfigurationError listing the keys that cannot be variables
 * @internal
 */
export function exportedVariables(
  keys: ExportedKeys,
  values: Values,
  referenceVariables: VariableTexts,
): ReadonlyMap<string, string> {
  const { variables, problems } = variablesFor(keys, values, referenceVariables);
  throwAny([...problems.map(problemError), ...sizeErrors(keys, variables)]);
  return variables;
}

/**
 * Checks that everything listed can be written.
 *
 * @throws VaultConfigurationError listing the keys that cannot be variables, or do not exist
 * @internal
 */
export function checkExports(keys: ExportedKeys, values: Values, referenceVariables: VariableTexts): void {
  const { variables, problems } = variablesFor(keys, values, referenceVariables);
  const failures: VaultError[] = [...problems.map(problemError), ...sizeErrors(keys, variables)];
  for (const key of Array.isArray(keys) ? (keys as readonly string[]) : []) {
    // A variable that takes precedence over Vault exists already.
    if (valueAt(values, key) === undefined && originalVariable(nameOf(values, key)) === undefined)
      failures.push(absent(key));
  }
  throwAny(failures);
}

/**
 * The variables of `process.env` that a boot has written.
 * @internal
 */
export class ExportedVariables {
  readonly #keys: ExportedKeys;
  readonly #names = new Set<string>();

  constructor(keys: ExportedKeys) {
    this.#keys = keys;
  }

  /** Writes the values; a variable without a value now gets back what it had before. */
  write({ written, variableTexts }: Pick<Configuration, 'variableTexts' | 'written'>): void {
    const { variables } = variablesFor(this.#keys, written.toObject(), variableTexts);
    for (const name of [...this.#names]) if (!variables.has(name)) this.#release(name);
    for (const [name, value] of variables) {
      claimVariable(this, name, value);
      this.#names.add(name);
    }
  }

  /** Gives every variable what it had before, unless something else has changed it since. */
  restore(): void {
    for (const name of [...this.#names]) this.#release(name);
  }

  #release(name: string): void {
    this.#names.delete(name);
    releaseVariable(this, name);
  }
}

function variablesFor(keys: ExportedKeys, values: Values, { texts, problems }: VariableTexts) {
  if (keys === 'references') return { variables: texts, problems };
  if (keys === true) return variablesOf(values);
  const chosen: Record<string, unknown> = {};
  // A key that is listed is meant, under any name.
  const allow: string[] = [];
  for (const key of keys) {
    const value = valueAt(values, key);
    if (value === undefined) continue;
    const name = nameOf(values, key);
    chosen[name] = value;
    allow.push(name);
  }
  return variablesOf(chosen, { allow });
}

/**
 * Larger environments would keep this process from starting programs. Variables that hold references were in the environment
 * before, and are left to their author.
 */
function sizeErrors(keys: ExportedKeys, variables: ReadonlyMap<string, string>): VaultError[] {
  if (!exportsKeys(keys)) return [];
  const failures: VaultError[] = [];
  let total = 0;
  for (const [name, value] of variables) {
    const bytes = name.length + Buffer.byteLength(value);
    total += bytes;
    if (bytes > MAX_VARIABLE_BYTES) failures.push(tooLarge(`${name} would be longer than ${MAX_VARIABLE_BYTES} bytes`));
  }
  if (total > MAX_TOTAL_BYTES)
    failures.push(tooLarge(`the variables would be larger than ${MAX_TOTAL_BYTES} bytes together`));
  return failures;
}

function throwAny(failures: readonly VaultError[]): void {
  if (failures.length > 0)
    throw new VaultConfigurationError('The configuration cannot be written to process.env:', failures);
}

function nameOf(values: Values, key: string): string {
  return variableName(Object.hasOwn(values, key) ? [key] : key.split('.'));
}

const OPTION = '"config.exportToProcessEnv"';

function absent(key: string): VaultError {
  return new VaultInvalidOptionError(
    `${OPTION} names ${JSON.stringify(key)}, which is not a configuration key. Fix the name or remove it.`,
  );
}

function tooLarge(what: string): VaultError {
  return new VaultInvalidOptionError(
    `${OPTION}: ${what}, and this process could start no other one. Read large values from ConfigService, have them written to files, or list the keys you need there.`,
  );
}

function problemError({ name, why, key, other }: VariableProblem): VaultError {
  const reasons: Record<VariableProblem['why'], string> = {
    name: `${JSON.stringify(key)} is not a name for a variable: rename it with "map" in its source`,
    dangerous: `${name} changes how programs run, and who can write the secret would decide that: rename it`,
    taken: `${JSON.stringify(other)} and ${JSON.stringify(key)} would both be ${name}: rename one with "map"`,
    nul: `${name} holds a NUL character, which no variable can`,
    many: `there would be more than ${MAX_VARIABLES} variables`,
    reference: `${JSON.stringify(key)} holds a text that a process with this environment would take for a reference to Vault: read it from ConfigService, or store another value in Vault`,
    text: `${JSON.stringify(key)} cannot be written as JSON, because it holds itself or is nested too deep`,
  };
  return new VaultInvalidOptionError(`${OPTION}: ${reasons[why]}, or list the keys you need there.`);
}
