import type { DynamicModule, FactoryProvider } from '@nestjs/common';
import type { VaultConfigurationError, VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { samePlain } from '../plain.js';
import type { StandardSchema } from '../standard-schema.js';
import type { VaultSource, VaultSourceOptions } from '../sources/vault-source.js';

/**
 * Options of a configuration namespace: those of a source, or `sources` for several secrets.
 * @publicApi
 */
export interface VaultConfigNamespaceOptions<S = StandardSchema<unknown, object>> extends Partial<
  Omit<VaultSourceOptions, 'as'>
> {
  /** Several secrets instead of `secretPath`. Later ones override earlier ones, key by key. */
  readonly sources?: readonly VaultSource[];
  /**
   * Any Standard Schema (zod, valibot, arktype, Joi). Consumers get its output, with defaults, coercion and
   * transforms.
   */
  readonly schema?: S;
  /** Name of the `VaultModule` that reads it. Default: the one without a name. */
  readonly vault?: string;
}

/**
 * A typed part of the configuration that comes from Vault. It stands wherever a factory of `registerAs` does:
 * `@Inject(databaseConfig.KEY) database: ConfigType<typeof databaseConfig>`, `databaseConfig.asProvider()`.
 *
 * The injected object stays current: after a refresh its properties have the new values.
 * @publicApi
 */
export interface VaultConfigNamespace<T extends object = Record<string, unknown>> {
  /** The current values. @throws VaultInvalidOptionError when no booted `VaultModule` has read this namespace */
  (): T;
  /** Injection token of the values. */
  readonly KEY: string;
  /** Imports and factory for `forRootAsync` of other modules: `TypeOrmModule.forRootAsync(databaseConfig.asProvider())`. */
  asProvider(): { imports: [DynamicModule]; useFactory(values: T): T; inject: NonNullable<FactoryProvider['inject']> };
}

const DEFINITION: unique symbol = Symbol.for('nestjs-vault.namespace') as never;

/** What this module knows of a namespace. @internal */
export interface NamespaceDefinition {
  readonly name: string;
  readonly KEY: string;
  readonly options: VaultConfigNamespaceOptions;
  /** Values in the application that was booted last. */
  current: object | undefined;
}

/** @internal */
export function define(namespace: object, definition: NamespaceDefinition): void {
  Object.defineProperty(namespace, DEFINITION, { value: definition });
}

/**
 * Two namespaces of one name have the same token and the same place. The same declaration may come twice: a file that is
 * loaded in two formats, or again.
 *
 * @throws VaultInvalidOptionError when they are not the same
 * @internal
 */
export function assertSameNamespace(namespace: NamespaceDefinition, known: NamespaceDefinition): void {
  if (namespace === known || samePlain(namespace.options, known.options)) return;
  throw new VaultInvalidOptionError(
    `Two configuration namespaces are called "${namespace.name}": one of ${secretsOf(namespace)}, and one of ${secretsOf(known)}. They would have the same token and the same place in ConfigService. Rename one.`,
  );
}

/**
 * A namespace that is declared for another Vault must not be read from this one: there may be something of the same name.
 *
 * @param sources as given, not checked yet
 * @param vault name of the module they are listed in
 * @throws VaultInvalidOptionError naming both
 * @internal
 */
export function assertOwnNamespaces(sources: unknown, vault: string | undefined): void {
  for (const source of Array.isArray(sources) ? sources : []) {
    const namespace = definitionOf(source);
    const declared = namespace?.options.vault;
    if (!namespace || declared === undefined || declared === vault) continue;
    const here = vault === undefined ? 'that has no name' : `called "${vault}"`;
    throw new VaultInvalidOptionError(
      `vaultConfig("${namespace.name}") has vault: "${declared}", and stands in "config.sources" of the VaultModule ${here}. List it in that of "${declared}", or take "vault" out.`,
    );
  }
}

function secretsOf({ options: { sources, secretPath = '' } }: NamespaceDefinition): string {
  const paths = (sources ?? [secretPath]).map((source) => (typeof source === 'string' ? source : source.secretPath));
  return paths.map((path) => JSON.stringify(path)).join(' and ');
}

/**
 * What failed in some namespaces.
 *
 * @param failed by name of the namespace
 * @internal
 */
export function failuresOf(
  namespaces: Iterable<NamespaceDefinition>,
  failed: ReadonlyMap<string, VaultConfigurationError>,
): VaultError[] {
  const names = new Set([...namespaces].map(({ name }) => name));
  return [...failed].flatMap(([name, { errors }]) => (names.has(name) ? errors : []));
}

/** `undefined` for anything but a namespace. @internal */
export function definitionOf(namespace: unknown): NamespaceDefinition | undefined {
  return typeof namespace === 'function'
    ? (namespace as { [DEFINITION]?: NamespaceDefinition })[DEFINITION]
    : undefined;
}
