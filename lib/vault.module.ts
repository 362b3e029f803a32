import { randomUUID } from 'node:crypto';
import type { DynamicModule, OnApplicationShutdown } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { boot } from './bootstrap/boot.js';
import { BootMemo } from './bootstrap/boot-memo.js';
import { LazyPromise } from './bootstrap/lazy-promise.js';
import { resolveAsyncOptions } from './bootstrap/resolve-async-options.js';
import { valuesOf } from './config/configuration.js';
import { VAULT_CONFIGURATION } from './vault.constants.js';
import type { VaultModuleAsyncOptions, VaultModuleOptions } from './vault.options.js';
import { VaultService } from './vault.service.js';

type Taken = ReturnType<BootMemo['take']>;

/** Lets go of the session when the application it belongs to is closed. */
class VaultLifecycle implements OnApplicationShutdown {
  readonly #release: () => Promise<void>;

  constructor(release: () => Promise<void>) {
    this.#release = release;
  }

  // The last of Nest's hooks: everything that still needs Vault to shut down has done so.
  onApplicationShutdown(): Promise<void> {
    return this.#release();
  }
}

/** Holds the providers, once the configuration has been read. @internal */
@Module({})
export class VaultCoreModule {}

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
  static forRoot(options: VaultModuleOptions = {}): DynamicModule {
    return createModule(() => Promise.resolve(options), true);
  }

  /** With options made by a factory that may inject other providers. */
  static forRootAsync(options: VaultModuleAsyncOptions): DynamicModule {
    return createModule(() => resolveAsyncOptions(options), options.isGlobal ?? true);
  }
}

function createModule(options: () => Promise<VaultModuleOptions>, isGlobal: boolean): DynamicModule {
  const memo = new BootMemo(async () => boot(await options()));
  // Nest 10 tells dynamic modules apart by their printed form, in which two calls of forRoot would look alike.
  const id = `${VAULT_CONFIGURATION}:${randomUUID()}`;
  const core = coreModule(memo, id, isGlobal);
  return {
    module: VaultModule,
    global: isGlobal,
    // Read afresh at every scan, which is how the memo tells scans apart.
    get imports() {
      const load = memo.scan();
      return [new LazyPromise(() => load().then(() => core))];
    },
    providers: [{ provide: `${id}:module`, useValue: id }],
    exports: [VaultCoreModule],
  };
}

/**
 * The same object for every boot, so that no scan is ever split over two; which load an application gets is decided when
 * its providers are created.
 */
function coreModule(memo: BootMemo, id: string, isGlobal: boolean): DynamicModule {
  // The object handed to ConfigModule stands for the application: everything else is found through it.
  const taken = new WeakMap<object, Taken>();
  const configuration = Object.assign(
    () => {
      const take = memo.take();
      const values = valuesOf(take.runtime.configuration.entries);
      taken.set(values, take);
      return values;
    },
    { KEY: id },
  );
  const of = (values: object): Taken => taken.get(values) as Taken;
  return {
    module: VaultCoreModule,
    global: isGlobal,
    imports: [ConfigModule.forFeature(configuration)],
    providers: [
      { provide: VaultService, useFactory: (values: object) => of(values).runtime.service, inject: [id] },
      { provide: VaultLifecycle, useFactory: (values: object) => new VaultLifecycle(of(values).release), inject: [id] },
    ],
    exports: [VaultService, ConfigModule],
  };
}
