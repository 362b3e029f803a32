import type { VaultError } from '../../errors/index.js';
import { VaultConfigurationError, VaultInvalidOptionError } from '../../errors/index.js';
import type { Environment } from '../../options/env-file.js';
import { valueAt } from '../plain.js';
import type { VariableProblem } from './variables-of.js';
import { variableName, variablesOf } from './variables-of.js';

/**
 * Keys that are written to `process.env` too; `true` for all of them.
 * @internal
 */
export type ExportedKeys = true | readonly string[];

type Values = Readonly<Record<string, unknown>>;

/** Who has a variable, and what was there before anybody had. Boots that overlap may want the same one. */
const claims = new Map<string, { readonly before: string | undefined; readonly owners: Map<object, string> }>();

/**
 * The environment as it was before boots that are still up wrote to it: what they have from Vault is nobody's variable, and
 * would not become another one when it changes there.
 * @internal
 */
export function withoutExported(environment: Environment): Environment {
  const own = { ...environment };
  for (const [name, { before, owners }] of claims)
    if ([...owners.values()].includes(own[name] ?? '')) own[name] = before;
  return own;
}

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

  /**
   * Whether all that is asked for can be written.
   *
   * @throws VaultConfigurationError listing the keys that cannot, or are not there
   */
  check(values: Values): void {
    const failures: VaultError[] = exported(this.#keys, values).problems.map(refusal);
    for (const key of this.#keys === true ? [] : this.#keys) {
      // A variable that wins over Vault is there already.
      if (valueAt(values, key) === undefined && process.env[nameOf(values, key)] === undefined)
        failures.push(absent(key));
    }
    if (failures.length === 0) return;
    throw new VaultConfigurationError('The configuration cannot be written to process.env:', failures);
  }

  /** Writes the values; what was written before and is no value any more gets back what it had. */
  write(values: Values): void {
    const { variables } = exported(this.#keys, values);
    for (const name of [...this.#names]) if (!variables.has(name)) this.#giveBack(name);
    for (const [name, value] of variables) {
      const { before, owners } = claims.get(name) ?? { before: process.env[name], owners: new Map<object, string>() };
      if (owners.get(this) === value) continue;
      // Taken out first: the last one is the one whose value is there.
      owners.delete(this);
      claims.set(name, { before, owners: owners.set(this, value) });
      this.#names.add(name);
      process.env[name] = value;
    }
  }

  /** Gives every variable what it had, unless somebody else has changed it since. */
  restore(): void {
    for (const name of [...this.#names]) this.#giveBack(name);
  }

  #giveBack(name: string): void {
    this.#names.delete(name);
    const claim = claims.get(name);
    const value = claim?.owners.get(this);
    if (!claim?.owners.delete(this)) return;
    const next = [...claim.owners.values()].pop() ?? claim.before;
    if (claim.owners.size === 0) claims.delete(name);
    if (process.env[name] !== value) return;
    if (next === undefined) delete process.env[name];
    else process.env[name] = next;
  }
}

function exported(keys: ExportedKeys, values: Values) {
  if (keys === true) return variablesOf(values);
  const chosen: Record<string, unknown> = {};
  // Whoever writes a key down means it, whatever it is called.
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

function nameOf(values: Values, key: string): string {
  return variableName(Object.hasOwn(values, key) ? [key] : key.split('.'));
}

const OPTION = '"config.exportToProcessEnv"';

function absent(key: string): VaultError {
  return new VaultInvalidOptionError(
    `${OPTION} names ${JSON.stringify(key)}, which is no key of the configuration. Correct it, or take it out.`,
  );
}

function refusal({ name, why, key, other }: VariableProblem): VaultError {
  const reasons: Record<VariableProblem['why'], string> = {
    name: `${JSON.stringify(key)} is no name for a variable: rename it with "map" in its source`,
    dangerous: `${name} changes how programs run, and who can write the secret would decide that: rename it`,
    taken: `${JSON.stringify(other)} and ${JSON.stringify(key)} would both be ${name}: rename one with "map"`,
    nul: `${name} holds a NUL character, which no variable can`,
    text: `${JSON.stringify(key)} cannot be written as JSON, because it holds itself or is nested too deep`,
  };
  return new VaultInvalidOptionError(`${OPTION}: ${reasons[why]}, or list the keys you need there.`);
}
