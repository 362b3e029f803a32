import type { DiscoveryService } from '@nestjs/core';
import type { ConfigurationStore } from '../config/configuration-store.js';
import { isStoreToken } from '../config/namespaces/feature.module.js';
import { isLiteral } from '../config/references/reference.options.js';
import { unresolvedReferences } from '../config/references/unresolved-references.js';
import { shortList } from '../errors/printable.js';
import { VALIDATED_ENVIRONMENT } from '../config/reserved-keys.js';
import { VaultInvalidOptionError } from '../errors/index.js';

/** So many are named; the others are counted. */
const MOST_NAMED = 10;

/**
 * Looks for references that no VaultModule has resolved in all that `ConfigService` reads from, once it is complete: a
 * consumer would take the text of the reference for the password.
 *
 * @param host the object that `ConfigService` reads its values from
 * @throws VaultInvalidOptionError naming their keys; the values may hold a secret as default
 * @internal
 */
export function refuseUnresolvedReferences(
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
  if (found.length > 0) throw unresolved(found);
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
export function unresolved(paths: readonly (readonly string[])[]): VaultInvalidOptionError {
  const keys = [...paths].sort((one, other) => one.length - other.length).map((path) => path.join('.'));
  const named = shortList(
    keys.map((key) => JSON.stringify(key)),
    MOST_NAMED,
  );
  const what = keys.length === 1 ? 'a reference to Vault that nobody' : 'references to Vault that nobody';
  return new VaultInvalidOptionError(
    `ConfigService has ${what} has resolved: ${named}. ` +
      `ConfigModule's own "load" and "validate" see references in process.env, not their values. Move the factory to "config.load", which takes the same factories:
    VaultModule.forRoot({ config: { load: [databaseConfig] } })
or have the variables replaced for as long as the application runs, which "load" then sees:
    VaultModule.forRoot({ config: { exportToProcessEnv: 'references' } })
If such a text is meant as it is, name its key in "config.references.literal".`,
  );
}
