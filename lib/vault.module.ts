import { randomUUID } from 'node:crypto';
import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { boot } from './boot/boot.js';
import { BootMemo } from './boot/boot-registry.js';
import { LazyPromise } from './boot/boot-registry.js';
import { RefusedBoot } from './boot/refused-boot.js';
import { resolveAsyncOptions } from './nest/async-options.js';
import type { NamespaceDefinition, VaultConfigNamespace } from './config/namespaces/config-namespace.js';
import { refuseForeign } from './config/namespaces/config-namespace.js';
import { featureModule, registeredFeatures } from './config/namespaces/feature.module.js';
import type { FactoryValues } from './config/sources/config-factories.js';
import { coreModule, VaultCoreModule } from './nest/core.module.js';
import { assertReadable } from './options/check-options.js';
import { importsOf } from './nest/nest-internals.js';
import { VAULT_CONFIGURATION } from './vault.constants.js';
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
  const memo = new BootMemo(async () => {
    const given = await options();
    assertReadable(given);
    refuseForeign(given?.config?.sources, name);
    return boot(given, { features: registeredFeatures(name) }).catch((error: unknown) => RefusedBoot.of(error));
  });
  // Nest 10 tells dynamic modules apart by their printed form, in which two calls of forRoot would look alike.
  const id = `${VAULT_CONFIGURATION}:${randomUUID()}`;
  // The same object for every boot, so that no scan is ever split over two; only other namespaces make another one.
  const cores = new Map<string, DynamicModule>();
  const coreFor = (namespaces: readonly NamespaceDefinition[], made: readonly FactoryValues[]): DynamicModule => {
    const key = JSON.stringify([...namespaces, ...made].map(({ KEY }) => KEY));
    const core =
      cores.get(key) ?? coreModule(memo, id, { isGlobal, ...(name !== undefined && { name }) }, namespaces, made);
    cores.set(key, core);
    return core;
  };
  return {
    module: VaultModule,
    global: isGlobal,
    // Read afresh at every scan, which is how the memo tells scans apart.
    get imports() {
      const load = memo.scan();
      let modules: ModulesContainer | undefined;
      const core = new LazyPromise(async () => {
        const { plan } = await load(modules);
        return coreFor(plan.namespaces, plan.factories.made ?? []);
      });
      return importsOf([core], (found) => (modules = found));
    },
    providers: [{ provide: `${id}:module`, useValue: id }],
    exports: [VaultCoreModule],
  };
}
