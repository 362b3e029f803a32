import type { ModulesContainer } from '@nestjs/core';
import type { ConfigurationStore } from '../config/configuration-store.js';
import { definitionOf } from '../config/namespaces/config-namespace.js';
import { isLiteral } from '../config/references/reference.options.js';
import { unresolvedReferences } from '../config/references/leftover-references.js';
import { VALIDATED_ENVIRONMENT } from '../config/reserved-keys.js';
import { namespaceOf } from '../config/sources/factories.js';
import type { VaultError } from '../errors/index.js';
import { isVaultError } from '../errors/index.js';
import { configurationProviders, replaceInstance } from './nest-internals.js';
import { unresolvedReferencesError } from './reference-checks.js';

/** Start of the injection tokens that belong to one load. @internal */
export const VAULT_CONFIGURATION = 'nestjs-vault:configuration';

type Path = readonly string[];

/**
 * Stands between what `ConfigModule` makes itself, by `load`, `forFeature` and validation, and everything that would receive
 * it. Unresolved references stop the boot, for consumers of `ConfigService` as for those that inject the `KEY`
 * of a factory; and objects in the place of values from Vault are united with them.
 *
 * @param close is called, and waited for, before the error is thrown
 * @returns a promise that rejects with a VaultInvalidOptionError for what has been made already; what is made later fails in
 *   its own provider
 * @internal
 */
export function guardConfiguration(
  modules: ModulesContainer,
  store: ConfigurationStore,
  close: () => Promise<void>,
): Promise<never> | undefined {
  const { factories, validated, host } = configurationProviders(modules.values());
  const found: Path[] = [];
  let failure: VaultError | undefined;
  let refusing: Promise<never> | undefined;
  /** What is handed out instead: the same error for everybody, once it names all that is known by then. */
  const refuse = (): Promise<never> => {
    refusing ??= Promise.resolve()
      .then(close)
      .then(() => {
        throw failure ?? unresolvedReferencesError(found);
      });
    refusing.catch(() => undefined);
    return refusing;
  };
  const judge = (made: unknown, path: Path): unknown => {
    found.push(...referencesIn(made, path, store));
    if (found.length > 0 || failure !== undefined) return refuse();
    try {
      return store.unite(path, made);
    } catch (error) {
      if (!isVaultError(error)) throw error;
      failure = error;
      return refuse();
    }
  };
  const environment: Record<string, unknown> = {};
  validated(environment);
  found.push(...referencesIn(environment[VALIDATED_ENVIRONMENT], [], store));
  // Without it, ConfigService does not exist.
  if (found.length > 0 && host) replaceInstance(host, refuse);
  for (const { factory, wrapper } of factories) {
    const isOurs = typeof wrapper.token === 'string' && wrapper.token.startsWith(VAULT_CONFIGURATION);
    if (isOurs || definitionOf(factory)) continue;
    replaceInstance(wrapper, (made) => judge(made, namespaceOf(factory)));
  }
  return refusing ?? (found.length > 0 ? refuse() : undefined);
}

/** Where there are references in what `ConfigModule` has made, at the places of which this configuration has no value. */
function referencesIn(made: unknown, path: Path, store: ConfigurationStore): Path[] {
  const { known, plan } = store.loader;
  const { references } = plan;
  if (!references || typeof made !== 'object' || made === null) return [];
  const accept = (inner: Path, text: string) => {
    const whole = [...path, ...inner];
    return isLiteral(references, whole) || store.has(whole) || store.holds(whole, text);
  };
  return unresolvedReferences(made, known, accept).map((inner) => [...path, ...inner]);
}
