import { randomUUID } from 'node:crypto';
import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { boot } from './boot/boot.js';
import { BootRegistry } from './boot/boot-registry.js';
import { FailedBoot } from './boot/failed-boot.js';
import type { VaultConfigNamespace } from './config/namespaces/config-namespace.js';
import { assertOwnNamespaces } from './config/namespaces/config-namespace.js';
import { featureModule, registeredFeatures } from './config/namespaces/feature.module.js';
import { resolveAsyncOptions } from './nest/async-options.js';
import { VAULT_CONFIGURATION } from './nest/configuration-guard.js';
import type { Applications } from './nest/core.module.js';
import { coreModule, VaultCoreModule } from './nest/core.module.js';
import { assertReadable } from './options/check-options.js';
import type { VaultModuleAsyncOptions, VaultModuleOptions, VaultModuleRegistration } from './vault.options.js';

/**
 * Secrets of HashiCorp Vault or OpenBao in `ConfigService`, before any provider of the application is created, and
 * `VaultService` for everything else.
 *
 * Nothing happens when the file is imported. While Nest scans the modules, before it creates any provider, the module
 * logs in and reads its sources; what cannot be read stops the boot with a `VaultError`.
 * @publicApi
 */
@Module({})
export class VaultModule {
  /** With given options; what is left out comes from `BAO_…` and `VAULT_…` variables. */
  static forRoot(options: VaultModuleOptions = {}, registration: VaultModuleRegistration = {}): DynamicModule {
    return createModule(() => Promise.resolve(options), registration);
  }

  /** With options made by a factory that may inject other providers. */
  static forRootAsync(options: VaultModuleAsyncOptions): DynamicModule {
    return createModule(() => resolveAsyncOptions(options), options);
  }

  /**
   * Provides namespaces to the module that imports it. They are read at boot with everything else, when this was called
   * before the boot began; a module that is loaded later reads them as it is loaded.
   *
   * @throws VaultInvalidOptionError for anything but namespaces of `vaultConfig()`
   */
  static forFeature(...namespaces: VaultConfigNamespace<object>[]): DynamicModule {
    return featureModule(namespaces);
  }
}

function createModule(
  options: () => Promise<VaultModuleOptions>,
  { isGlobal = true, name }: VaultModuleRegistration,
): DynamicModule {
  const registry = new BootRegistry(async () => {
    const given = await options();
    assertReadable(given);
    assertOwnNamespaces(given?.config?.sources, name);
    return boot(given, { features: registeredFeatures(name) }).catch((error: unknown) => FailedBoot.of(error));
  });
  const applications: Applications = new WeakMap();
  const registration = { isGlobal, ...(name !== undefined && { name }) };
  // Nest 10 tells dynamic modules apart by their printed form, in which two calls of forRoot would look alike.
  const id = `${VAULT_CONFIGURATION}:${randomUUID()}`;
  return {
    module: VaultModule,
    global: isGlobal,
    // Another promise for each read, which is how the registry tells scans apart.
    get imports() {
      return [registry.read((load) => coreModule(load, applications, registration))];
    },
    providers: [{ provide: `${id}:module`, useValue: id }],
    exports: [VaultCoreModule],
  };
}
