import type { ConfigFactory } from '@nestjs/config';
import { isJsonObject } from '../../client/response.js';
import { withVariables } from '../../options/process-environment.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { hasDerivedReferences } from '../references/derived-references.js';
import { definitionOf } from '../namespaces/config-namespace.js';
import { isReservedKey } from '../reserved-keys.js';

/** What a factory has made, and where it goes. @internal */
export interface FactoryValues {
  readonly option: string;
  /** The namespace of `registerAs`, as path; empty for the top level. */
  readonly path: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
  /** Injection token that `registerAs` has given it. */
  readonly KEY: string | undefined;
}

/** A factory as `ConfigModule` takes it in `load`. @publicApi */
export type VaultConfigFactory = ConfigFactory | Promise<ConfigFactory>;

/**
 * The factories of a boot. What they make depends on the environment: they run again when that has changed.
 * @internal
 */
export class ConfigFactories {
  readonly #factories: readonly VaultConfigFactory[];
  #variables: ReadonlyMap<string, string> | undefined;
  #making: Promise<readonly FactoryValues[]> | undefined;
  #made: readonly FactoryValues[] | undefined;

  constructor(factories: readonly VaultConfigFactory[]) {
    this.#factories = factories;
  }

  get isEmpty(): boolean {
    return this.#factories.length === 0;
  }

  /** What they made last; `undefined` when they have not run yet. */
  get made(): readonly FactoryValues[] | undefined {
    return this.isEmpty ? [] : this.#made;
  }

  /**
   * Runs all of them with these variables in `process.env`, unless they have run with the same ones last. What they throw is
   * the application's own and is passed on as it is; a failure is not remembered.
   *
   * @throws VaultInvalidOptionError when one does not make an object, VaultAbortedError
   */
  run(variables: ReadonlyMap<string, string>, signal?: AbortSignal): Promise<readonly FactoryValues[]> {
    if (this.isEmpty) return Promise.resolve([]);
    if (this.#making && this.#variables && sameTexts(this.#variables, variables)) return this.#making;
    const making = this.#run(variables, signal);
    [this.#making, this.#variables] = [making, variables];
    making.then(
      (made) => (this.#made = made),
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

/** A promise only where there is something to wait for. All are waited for: one that goes on needs its variables. */
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
      `"${option}" is vaultConfig("${namespace.name}"), which is no factory but read from Vault. List it in "config.sources".`,
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
