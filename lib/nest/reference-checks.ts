import type { InjectionToken } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { DiscoveryService } from '@nestjs/core';
import type { ConfigurationStore } from '../config/configuration-store.js';
import { textsIn, valueAt } from '../config/plain.js';
import { isLiteral } from '../config/references/reference.options.js';
import { unresolvedReferences } from '../config/references/leftover-references.js';
import { VALIDATED_ENVIRONMENT } from '../config/reserved-keys.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import { quoted, formatList } from '../errors/format.js';
import { isStoreToken } from '../config/namespaces/feature.module.js';

/** A provider or controller that has been created, or is a value. @internal */
export interface CreatedProvider {
  readonly token: InjectionToken;
  readonly instance: unknown;
}

/**
 * Looks for references of variables in what providers hold. Such a text was read from `process.env` before it was resolved,
 * mostly in a decorator when a file was imported: a token would be signed with the text of the reference.
 *
 * @param host what `ConfigService` reads its values from, which has a check of its own
 * @param skipped objects that may hold references
 * @throws VaultInvalidOptionError naming the providers and where in them; the texts may hold a default that is a secret
 * @internal
 */
export function assertNoCopiedReferences(
  providers: Iterable<CreatedProvider>,
  store: ConfigurationStore,
  host: object = {},
  skipped: readonly object[] = [],
): void {
  const { known, plan } = store.loader;
  const { references, environment } = plan;
  if (!references || known.isEmpty) return;
  const looked = [...providers].filter(({ instance }) => !(instance instanceof ConfigService));
  const configServices = [...providers].map(({ instance }) => instance).filter((one) => one instanceof ConfigService);
  const nameOf = ([index = '', ...inner]: readonly string[]) => [tokenName(looked[Number(index)]?.token), ...inner];
  let meant: Set<string> | undefined;
  const isMeant = (path: readonly string[], text: string): boolean =>
    // Other texts of this form may come from anywhere, such as a secret that the provider has read itself.
    !known.find(text) || isLiteral(references, nameOf(path)) || (meant ??= new Set(textsOf(store, host))).has(text);
  const found = unresolvedReferences(
    looked.map(({ instance }) => instance),
    known,
    isMeant,
    [process.env, environment, store, store.loader, plan, store.values, host, ...configServices, ...skipped],
  );
  if (found.length > 0) throw copiedReferencesError(found.map((path) => nameOf(path).join('.')));
}

/** Texts that may look like references: values of secrets, and what is meant as it is. */
function textsOf(store: ConfigurationStore, host: object): string[] {
  const { references, environment } = store.loader.plan;
  const variables = Object.entries(environment).filter(([name]) => references && isLiteral(references, [name]));
  const values = (references?.literal ?? []).map((key) => valueAt(host, key));
  return [store.values, variables, values].flatMap(textsIn);
}

function tokenName(token: InjectionToken | undefined): string {
  return typeof token === 'function'
    ? token.name
    : typeof token === 'symbol'
      ? (token.description ?? '')
      : String(token);
}

function copiedReferencesError(paths: readonly string[]): VaultInvalidOptionError {
  const named = formatList([...new Set(paths)].map(quoted), 10);
  return new VaultInvalidOptionError(
    `Providers hold the text of a reference to Vault instead of its value: ${named}. ` +
      `They copied it from process.env before it was resolved, for example in the decorator of a module, which runs when the file is imported. ` +
      `Start the application with "node --import nestjs-vault/register", which resolves references before any file is imported. ` +
      `Or read the value later: from ConfigService, as in registerAsync({ inject: [ConfigService], useFactory }); ` +
      `code that reads process.env after the boot also needs "config.exportToProcessEnv: 'references'". ` +
      `If the text is meant as it is, name it in "config.references.literal".`,
  );
}

/** So many are named; the others are counted. */
const MAX_NAMED = 10;

/**
 * Looks for references that no VaultModule has resolved in all that `ConfigService` reads from, once it is complete: a
 * consumer would take the text of the reference for the password.
 *
 * @param host the object that `ConfigService` reads its values from
 * @throws VaultInvalidOptionError naming their keys; the values may hold a secret as default
 * @internal
 */
export function assertNoUnresolvedReferences(
  host: Readonly<Record<string, unknown>>,
  store: ConfigurationStore,
  discovery: DiscoveryService,
): void {
  const { known, plan } = store.loader;
  const { references } = plan;
  if (!references) return;
  const stores = discovery.getProviders().filter(({ token }) => isStoreToken(token));
  const isMeant = (path: readonly string[], text: string): boolean =>
    isLiteral(references, path) ||
    // What a VaultModule has put there has been resolved, or is the value of a secret and no reference at all.
    stores.some(({ instance }) => (instance as ConfigurationStore).holds(path, text));
  const found = unresolvedReferences(
    host,
    known,
    (path, text) => path[0] === VALIDATED_ENVIRONMENT || isMeant(path, text),
  );
  const validated = host[VALIDATED_ENVIRONMENT];
  if (typeof validated === 'object' && validated !== null) {
    // A variable of which ConfigService has a value of its own is not asked for.
    found.push(...unresolvedReferences(validated, known, (path, text) => isSet(host, path) || isMeant(path, text)));
  }
  if (found.length > 0) throw unresolvedReferencesError(found);
}

function isSet(host: object, path: readonly string[]): boolean {
  let value: unknown = host;
  for (const name of path) {
    if (typeof value !== 'object' || value === null) return false;
    value = Object.getOwnPropertyDescriptor(value, name)?.value;
  }
  return value !== undefined;
}

/** @param keys of `ConfigService` @internal */
export function unresolvedReferencesError(paths: readonly (readonly string[])[]): VaultInvalidOptionError {
  const keys = [...paths].sort((one, other) => one.length - other.length).map((path) => path.join('.'));
  const named = formatList(
    keys.map((key) => JSON.stringify(key)),
    MAX_NAMED,
  );
  const what = keys.length === 1 ? 'an unresolved reference' : 'unresolved references';
  return new VaultInvalidOptionError(
    `ConfigService has ${what} to Vault: ${named}. ` +
      `ConfigModule's own "load" and "validate" see references in process.env, not their values. Move the factory to "config.load", which takes the same factories:
    VaultModule.forRoot({ config: { load: [databaseConfig] } })
or have the variables replaced for as long as the application runs, which "load" then sees:
    VaultModule.forRoot({ config: { exportToProcessEnv: 'references' } })
If such a text is meant as it is, name its key in "config.references.literal".`,
  );
}
