import type { ConfigFactory } from '@nestjs/config';
import { isJsonObject } from '../../client/vault-request.js';
import { withVariables } from '../../options/process-environment.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { hasDerivedReferences } from '../references/leftover-references.js';
import { definitionOf } from '../namespaces/config-namespace.js';
import { isReservedKey } from '../reserved-keys.js';
import type { Environment } from '../../options/env-file.js';
import type { ConfigLeaf, ConfigTree } from '../config-tree.js';
import { inOrderOfDots } from '../assembly/dotted-names.js';
import type { Origin } from '../origins.js';
import { NO_SECRET, originOfReference } from '../origins.js';
import type { KnownReferences } from '../references/leftover-references.js';
import type { ReferenceResolver } from '../references/resolve-references.js';
import { isSecretAt } from './read-secrets.js';

/** Shorter texts may be anywhere, and do not identify the secret they come from. */
const MIN_IDENTIFYING_LENGTH = 6;

/** The values of a factory, and their place. @internal */
export interface FactoryValues {
  readonly option: string;
  /** The namespace of `registerAs`, as path; empty for the top level. */
  readonly path: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
  /** Injection token of `registerAs`. */
  readonly KEY: string | undefined;
}

/** A factory as `ConfigModule` takes it in `load`. @publicApi */
export type VaultConfigFactory = ConfigFactory | Promise<ConfigFactory>;

/**
 * Runs the factories of a boot, for all of its applications. Their values depend on the environment: they run again when it has
 * changed.
 * @internal
 */
export class FactoryRunner {
  readonly #factories: readonly VaultConfigFactory[];
  #variables: ReadonlyMap<string, string> | undefined;
  #making: Promise<readonly FactoryValues[]> | undefined;
  #results: readonly FactoryValues[] | undefined;

  constructor(factories: readonly VaultConfigFactory[]) {
    this.#factories = factories;
  }

  get isEmpty(): boolean {
    return this.#factories.length === 0;
  }

  /** The values of their last run; `undefined` before the first one. */
  get results(): readonly FactoryValues[] | undefined {
    return this.isEmpty ? [] : this.#results;
  }

  /**
   * Runs all of them with these variables in `process.env`, unless their last run had the same. An error of a factory is
   * passed on unchanged, and not remembered.
   *
   * @throws VaultInvalidOptionError when one does not return an object, VaultAbortedError
   */
  run(variables: ReadonlyMap<string, string>, signal?: AbortSignal): Promise<readonly FactoryValues[]> {
    if (this.isEmpty) return Promise.resolve([]);
    if (this.#making && this.#variables && sameTexts(this.#variables, variables)) return this.#making;
    const making = this.#run(variables, signal);
    [this.#making, this.#variables] = [making, variables];
    making.then(
      (results) => (this.#results = results),
      () => {
        if (this.#making === making) this.#making = undefined;
      },
    );
    return making;
  }

  async #run(variables: ReadonlyMap<string, string>, signal?: AbortSignal): Promise<readonly FactoryValues[]> {
    const factories = await Promise.all(
      this.#factories.map(async (given, index) => factoryOf(await given, `config.load[${index}]`)),
    );
    const results = await withVariables(variables, () => settled(factories.map(call)), signal);
    const made = results.map((result, index) => {
      if (result.status === 'rejected') throw result.reason;
      return valuesFrom(factories[index] as ConfigFactory, result.value, `config.load[${index}]`);
    });
    for (const { option, values } of made) {
      if (!hasDerivedReferences(values, variables.values())) continue;
      throw new VaultInvalidOptionError(
        `"${option}" makes a reference out of the value of a secret. It is not resolved, because the secret would decide what is read. Store another value in Vault.`,
      );
    }
    return made;
  }
}

/**
 * The values of factories as leaves, references in them resolved.
 *
 * @param variables that hold references: a value equal to the text of exactly one of them comes from its secret
 * @internal
 */
export function factoryLeaves(
  results: readonly FactoryValues[],
  resolver: ReferenceResolver | undefined,
  known: KnownReferences,
  variables: ConfigTree,
  environment: Environment,
): ConfigLeaf[] {
  const parse = (text: string) => known.parse(text);
  const origins = originsOfTexts(variables, environment);
  return results.flatMap(({ option, path: containers, values }) =>
    inOrderOfDots(Object.keys(values)).map((key): ConfigLeaf => {
      const given = values[key];
      const path = [...containers, key];
      const resolved = resolver?.resolveDeep(given, `"${path.join('.')}" of ${option}`, parse);
      const copied = typeof given === 'string' ? origins.get(given) : undefined;
      const origin = resolved?.found ? originOfReference(resolved.found) : (copied ?? NO_SECRET);
      return { path, value: resolved ? resolved.value : given, origin };
    }),
  );
}

/** Origins of texts that are long enough to come from one secret only: "app" may be in the code as well. */
function originsOfTexts(variables: ConfigTree, environment: Environment): ReadonlyMap<string, Origin | undefined> {
  const origins = new Map<string, Origin | undefined>();
  const others = new Set(Object.values(environment));
  for (const { value, origin } of variables.leaves()) {
    if (typeof value !== 'string' || value.length < MIN_IDENTIFYING_LENGTH) continue;
    if (origin.secretPath === '' || others.has(value)) continue;
    const { variable: _, ...place } = origin;
    const known = origins.get(value);
    const isUnique = !origins.has(value) || (known && isSecretAt(known, place) && known.version === place.version);
    origins.set(value, isUnique ? place : undefined);
  }
  return origins;
}

function sameTexts(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([name, text]) => other.get(name) === text);
}

type Result = PromiseSettledResult<unknown>;

function call(factory: ConfigFactory): Result | Promise<Result> {
  const failed = (reason: unknown): Result => ({ status: 'rejected', reason });
  try {
    const value: unknown = factory();
    const isAsync = typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
    return isAsync ? Promise.resolve(value).then((made) => ({ status: 'fulfilled', value: made }), failed) : { status: 'fulfilled', value }; // prettier-ignore
  } catch (error) {
    return failed(error);
  }
}

/** A promise only if a result is one. All are awaited, because a running factory needs its variables. */
function settled(results: readonly (Result | Promise<Result>)[]): readonly Result[] | Promise<readonly Result[]> {
  return results.some((result) => result instanceof Promise)
    ? Promise.all(results.map((result) => Promise.resolve(result)))
    : (results as readonly Result[]);
}

function factoryOf(factory: unknown, option: string): ConfigFactory {
  if (typeof factory !== 'function') {
    throw new VaultInvalidOptionError(`"${option}" must be a function, or a promise of one.`);
  }
  const namespace = definitionOf(factory);
  if (namespace) {
    throw new VaultInvalidOptionError(
      `"${option}" is vaultConfig("${namespace.name}"), which is not a factory: it is read from Vault. List it in "config.sources".`,
    );
  }
  return factory as ConfigFactory;
}

function valuesFrom(factory: ConfigFactory, values: unknown, option: string): FactoryValues {
  if (!isJsonObject(values)) throw new VaultInvalidOptionError(`"${option}" must make an object.`);
  const path = namespaceOf(factory);
  if ([...path, ...Object.keys(values)].some(isReservedKey)) {
    throw new VaultInvalidOptionError(`"${option}" makes a key that no configuration may have. Rename it.`);
  }
  const { KEY } = factory as { readonly KEY?: unknown };
  return { option, path, values, KEY: path.length > 0 ? (KEY as string) : undefined };
}

/** `registerAs('database', …)` has the key `CONFIGURATION(database)`; dots in the name are containers, as with Nest. @internal */
export function namespaceOf(factory: object): string[] {
  const { KEY } = factory as { readonly KEY?: unknown };
  const name = typeof KEY === 'string' ? /^CONFIGURATION\((.+)\)$/.exec(KEY)?.[1] : undefined;
  return name?.split('.') ?? [];
}
