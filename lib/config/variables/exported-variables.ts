import type { VaultError } from '../../errors/index.js';
import { VaultConfigurationError, VaultInvalidOptionError } from '../../errors/index.js';
import { claimVariable, originalVariable, releaseVariable } from '../../options/process-environment.js';
import { valueAt } from '../plain.js';
import type { ReferringVariables } from './referring-variables.js';
import type { VariableProblem } from './variables-of.js';
import { MAX_VARIABLES, variableName, variablesOf } from './variables-of.js';

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

/**
 * The variables of `process.env` that a boot has its values in, because it was asked to.
 * @internal
 */
export class ExportedVariables {
  readonly #keys: ExportedKeys;
  readonly #names = new Set<string>();

  constructor(keys: ExportedKeys) {
    this.#keys = keys;
  }

  /** Whether keys of the configuration are exported, and not only variables that hold references. */
  get hasKeys(): boolean {
    return this.#keys !== 'references';
  }

  /**
   * The variables for these values. A key that is listed and not there has none.
   *
   * @throws VaultConfigurationError listing the keys that cannot be variables
   */
  of(values: Values, referring: ReferringVariables): ReadonlyMap<string, string> {
    const { variables, problems } = this.#exported(values, referring);
    const failures = [...problems.map(refusal), ...this.#tooLarge(variables)];
    if (failures.length > 0) throw refused(failures);
    return variables;
  }

  /**
   * Whether all that is asked for can be written.
   *
   * @throws VaultConfigurationError listing the keys that cannot, or are not there
   */
  check(values: Values, referring: ReferringVariables): void {
    const { variables, problems } = this.#exported(values, referring);
    const failures: VaultError[] = [...problems.map(refusal), ...this.#tooLarge(variables)];
    for (const key of Array.isArray(this.#keys) ? (this.#keys as readonly string[]) : []) {
      // A variable that wins over Vault is there already.
      if (valueAt(values, key) === undefined && originalVariable(nameOf(values, key)) === undefined)
        failures.push(absent(key));
    }
    if (failures.length > 0) throw refused(failures);
  }

  /** Writes the values; what was written before and is no value any more gets back what it had. */
  write(values: Values, referring: ReferringVariables): void {
    const { variables } = this.#exported(values, referring);
    for (const name of [...this.#names]) if (!variables.has(name)) this.#release(name);
    for (const [name, value] of variables) {
      claimVariable(this, name, value);
      this.#names.add(name);
    }
  }

  /** Gives every variable what it had, unless somebody else has changed it since. */
  restore(): void {
    for (const name of [...this.#names]) this.#release(name);
  }

  #release(name: string): void {
    this.#names.delete(name);
    releaseVariable(this, name);
  }

  /** Programs could not be started any more. Variables that hold references were there before, and are left to their author. */
  #tooLarge(variables: ReadonlyMap<string, string>): VaultError[] {
    if (!this.hasKeys) return [];
    const failures: VaultError[] = [];
    let total = 0;
    for (const [name, value] of variables) {
      const bytes = name.length + Buffer.byteLength(value);
      total += bytes;
      if (bytes > MAX_VARIABLE_BYTES)
        failures.push(tooLarge(`${name} would be longer than ${MAX_VARIABLE_BYTES} bytes`));
    }
    if (total > MAX_TOTAL_BYTES)
      failures.push(tooLarge(`the variables would be larger than ${MAX_TOTAL_BYTES} bytes together`));
    return failures;
  }

  #exported(values: Values, { texts, problems }: ReferringVariables) {
    if (this.#keys === 'references') return { variables: texts, problems };
    if (this.#keys === true) return variablesOf(values);
    const chosen: Record<string, unknown> = {};
    // Whoever writes a key down means it, whatever it is called.
    const allow: string[] = [];
    for (const key of this.#keys) {
      const value = valueAt(values, key);
      if (value === undefined) continue;
      const name = nameOf(values, key);
      chosen[name] = value;
      allow.push(name);
    }
    return variablesOf(chosen, { allow });
  }
}

function refused(failures: readonly VaultError[]): VaultConfigurationError {
  return new VaultConfigurationError('The configuration cannot be written to process.env:', failures);
}

function nameOf(values: Values, key: string): string {
  return variableName(Object.hasOwn(values, key) ? [key] : key.split('.'));
}

const OPTION = '"config.exportToProcessEnv"';

function absent(key: string): VaultError {
  return new VaultInvalidOptionError(
    `${OPTION} names ${JSON.stringify(key)}, which is no key of the configuration. Correct it, or take it out.`,
  );
}

function tooLarge(what: string): VaultError {
  return new VaultInvalidOptionError(
    `${OPTION}: ${what}, and this process could start no other one. Read large values from ConfigService, have them written to files, or list the keys you need there.`,
  );
}

function refusal({ name, why, key, other }: VariableProblem): VaultError {
  const reasons: Record<VariableProblem['why'], string> = {
    name: `${JSON.stringify(key)} is no name for a variable: rename it with "map" in its source`,
    dangerous: `${name} changes how programs run, and who can write the secret would decide that: rename it`,
    taken: `${JSON.stringify(other)} and ${JSON.stringify(key)} would both be ${name}: rename one with "map"`,
    nul: `${name} holds a NUL character, which no variable can`,
    many: `there would be more than ${MAX_VARIABLES} variables`,
    reference: `${JSON.stringify(key)} holds a text that a process with this environment would take for a reference to Vault: read it from ConfigService, or store another value in Vault`,
    text: `${JSON.stringify(key)} cannot be written as JSON, because it holds itself or is nested too deep`,
  };
  return new VaultInvalidOptionError(`${OPTION}: ${reasons[why]}, or list the keys you need there.`);
}
