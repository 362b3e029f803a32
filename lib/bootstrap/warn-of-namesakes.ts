import type { InjectionToken } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import type { VaultService } from '../vault.service.js';

const logger = new Logger('VaultModule');

/**
 * Warns once when several modules have the same name: each has a session, and whose service is injected depends on where.
 * Most often the module was imported in a feature instead of the root only.
 *
 * @param token of the services
 * @param service that of the module which asks; the first of them warns
 * @internal
 */
export function warnOfNamesakes(
  discovery: DiscoveryService,
  token: InjectionToken,
  service: VaultService,
  name: string | undefined,
): void {
  const namesakes = discovery.getProviders().filter((wrapper) => wrapper.token === token);
  if (namesakes.length < 2 || namesakes[0]?.instance !== service) return;
  const called = name === undefined ? 'without a name' : `with the name "${name}"`;
  logger.warn(
    `The application has ${namesakes.length} VaultModules ${called}, each with a session of its own. Import it once, in the ` +
      `root module; or, for another Vault, name it (forRootAsync({ name }), forRoot(options, { name })) and inject it with @InjectVault(name).`,
  );
}
