import type { InjectionToken } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import type { JsonObject } from '../client/vault-request.js';
import { printable, formatList } from '../errors/format.js';
import type { VaultService } from '../vault.service.js';

interface Contribution {
  readonly name: string | undefined;
  readonly values: JsonObject;
}

const logger = new Logger('VaultModule');
const contributions = new WeakMap<object, readonly Contribution[]>();

/**
 * Warns once when several modules have the same name: each has a session, and whose service is injected depends on where.
 * Most often the module was imported in a feature instead of the root only.
 *
 * @param token of the services
 * @param service that of the module which asks; the first of them warns
 * @internal
 */
export function warnAboutDuplicateModules(
  discovery: DiscoveryService,
  token: InjectionToken,
  service: VaultService,
  name: string | undefined,
): void {
  const providers = discovery.getProviders().filter((wrapper) => wrapper.token === token);
  // The same service may be provided twice: a scan may get two loads.
  const services = new Set<unknown>(providers.map(({ instance }) => instance as unknown));
  if (services.size < 2 || providers[0]?.instance !== service) return;
  const called = name === undefined ? 'without a name' : `with the name "${name}"`;
  logger.warn(
    `The application has ${services.size} VaultModules ${called}, each with a session of its own. Import it once, in the ` +
      `root module; or, for another Vault, name it (forRootAsync({ name }), forRoot(options, { name })) and inject it with @InjectVault(name).`,
  );
}

/**
 * Warns of keys that several modules of one application have: `ConfigService` has one place for each, and whose value is
 * there depends on the order in which Nest makes them.
 *
 * @param host the object that the application's `ConfigService` reads its values from
 * @param values those of the module with this name, which asks
 * @internal
 */
export function warnAboutConflictingKeys(host: object, values: JsonObject, name: string | undefined): void {
  const others = contributions.get(host) ?? [];
  contributions.set(host, [...others, { name, values }]);
  for (const other of others) {
    // Of modules that have one name, something else is wrong, and has been said.
    const shared = other.name === name ? [] : Object.keys(values).filter((key) => Object.hasOwn(other.values, key));
    if (shared.length === 0) continue;
    logger.warn(
      `Two VaultModules, the one ${called(other.name)} and the one ${called(name)}, both have ${formatList(shared.map(printable))}: ` +
        'ConfigService has the values of one of them. Give those of the other another name, by "as", "prefix" or "map" in the source, or by the name of the configuration namespace.',
    );
  }
}

function called(name: string | undefined): string {
  return name === undefined ? 'without a name' : `called "${name}"`;
}
