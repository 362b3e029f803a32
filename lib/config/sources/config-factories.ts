import type { ConfigFactory } from '@nestjs/config';
import { isJsonObject } from '../../client/response.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
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
 * Factories, run once for all: as with `ConfigModule`, what they make does not change.
 * @internal
 */
export class ConfigFactories {
  readonly #factories: readonly VaultConfigFactory[];
  #made: Promise<readonly FactoryValues[]> | undefined;

  constructor(factories: readonly VaultConfigFactory[]) {
    this.#factories = factories;
  }

  /**
   * Runs them at once, the first time. What they throw is the application's own and is passed on as it is; a failure is
   * not remembered.
   *
   * @throws VaultInvalidOptionError when one does not make an object
   */
  run(): Promise<readonly FactoryValues[]> {
    this.#made ??= Promise.all(this.#factories.map((factory, index) => make(factory, `config.load[${index}]`))).catch(
      (error: unknown) => {
        this.#made = undefined;
        throw error;
      },
    );
    return this.#made;
  }
}

async function make(given: VaultConfigFactory, option: string): Promise<FactoryValues> {
  const factory: unknown = await given;
  if (typeof factory !== 'function') {
    throw new VaultInvalidOptionError(`"${option}" must be a function, or a promise of one.`);
  }
  const namespace = definitionOf(factory);
  if (namespace) {
    throw new VaultInvalidOptionError(
      `"${option}" is vaultConfig("${namespace.name}"), which is no factory but read from Vault. List it in "config.sources".`,
    );
  }
  const values: unknown = await (factory as ConfigFactory)();
  if (!isJsonObject(values)) throw new VaultInvalidOptionError(`"${option}" must make an object.`);
  const path = namespaceOf(factory);
  if ([...path, ...Object.keys(values)].some(isReservedKey)) {
    throw new VaultInvalidOptionError(`"${option}" makes a key that no configuration may have. Rename it.`);
  }
  const { KEY } = factory as { readonly KEY?: unknown };
  return { option, path, values, KEY: path.length > 0 ? (KEY as string) : undefined };
}

/** `registerAs('database', …)` has the key `CONFIGURATION(database)`; dots in the name are containers, as with Nest. */
function namespaceOf(factory: object): string[] {
  const { KEY } = factory as { readonly KEY?: unknown };
  const name = typeof KEY === 'string' ? /^CONFIGURATION\((.+)\)$/.exec(KEY)?.[1] : undefined;
  return name?.split('.') ?? [];
}
