import { Logger } from '@nestjs/common';
import type { JsonObject } from '../client/response.js';
import { printable, shortList } from '../errors/printable.js';

interface Contribution {
  readonly name: string | undefined;
  readonly values: JsonObject;
}

const logger = new Logger('VaultModule');
const contributions = new WeakMap<object, readonly Contribution[]>();

/**
 * Warns of keys that several modules of one application have: `ConfigService` has one place for each, and whose value is
 * there depends on the order in which Nest makes them.
 *
 * @param host the object that the application's `ConfigService` reads its values from
 * @param values those of the module with this name, which asks
 * @internal
 */
export function warnOfSharedKeys(host: object, values: JsonObject, name: string | undefined): void {
  const others = contributions.get(host) ?? [];
  contributions.set(host, [...others, { name, values }]);
  for (const other of others) {
    // Of modules that have one name, something else is wrong, and has been said.
    const shared = other.name === name ? [] : Object.keys(values).filter((key) => Object.hasOwn(other.values, key));
    if (shared.length === 0) continue;
    logger.warn(
      `Two VaultModules, the one ${called(other.name)} and the one ${called(name)}, both have ${shortList(shared.map(printable))}: ` +
        'ConfigService has the values of one of them. Give those of the other another name, by "as", "prefix" or "map" in the source, or by the name of the configuration namespace.',
    );
  }
}

function called(name: string | undefined): string {
  return name === undefined ? 'without a name' : `called "${name}"`;
}
