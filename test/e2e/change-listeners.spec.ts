import 'reflect-metadata';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CanActivate } from '@nestjs/common';
import { Controller, Inject, Injectable, Logger, Module, Scope, UseGuards } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { LazyModuleLoader } from '@nestjs/core';
import type { VaultConfigChange, VaultRefreshResult } from '../../lib/index.js';
import { OnVaultChange, VaultModule, VaultService } from '../../lib/index.js';
import { useAppBench } from '../support/app-bench.js';
import { gate } from '../support/boot-application.js';

const bench = useAppBench();
let told: string[] = [];
beforeEach(() => void (told = []));

@Injectable()
class Single {
  readonly name: string = 'single';
  @OnVaultChange()
  onChange(): void {
    told.push(this.name);
  }
}

@Injectable()
class Derived extends Single {
  override readonly name = 'derived';
}

@Injectable({ scope: Scope.TRANSIENT })
class Transient {
  readonly name = 'transient';
  @OnVaultChange()
  onChange(): void {
    told.push(this.name);
  }
}

@Injectable()
class First {
  constructor(@Inject(Transient) readonly transient: Transient) {}
}

@Injectable()
class Second {
  constructor(@Inject(Transient) readonly transient: Transient) {}
}

/** In no list of providers: Nest makes it because a controller uses it. */
@Injectable()
class Guard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
  @OnVaultChange('GUARDED')
  onChange(): void {
    told.push('guard');
  }
}

@Controller()
@UseGuards(Guard)
class OfRoutes {
  readonly name: string = 'controller';
  @OnVaultChange()
  onChange(): void {
    told.push(this.name);
  }
}

@Injectable({ scope: Scope.REQUEST })
class OfRequest {
  @OnVaultChange()
  onChange(): void {
    told.push('request');
  }
}

@Injectable()
class OfKeys {
  @OnVaultChange('pool.size.max')
  onInner(): void {
    told.push('inside an object');
  }
  @OnVaultChange('pool.size')
  onWhole(): void {
    told.push('an object');
  }
  @OnVaultChange('poo')
  @OnVaultChange('pool.size.max.deeper', { vault: 'another' })
  onOther(): void {
    told.push('something else');
  }
}

@Injectable()
class Asking {
  result?: Promise<VaultRefreshResult>;
  constructor(@Inject(VaultService) private readonly vault: VaultService) {}
  @OnVaultChange()
  async onChange(): Promise<void> {
    this.result ??= this.vault.refresh();
    await this.result;
    throw new TypeError('quotes a value');
  }
}

type ModuleParts = Parameters<typeof Module>[0];

async function start(...providers: NonNullable<ModuleParts['providers']>) {
  return startWith({ providers });
}

async function startWith({ providers = [], imports = [] }: ModuleParts) {
  await bench.server.seed({ 'secret/told': { KEY: 'one', pool: { size: { max: 1 } } } });
  const auth = { method: 'token', token: bench.server.rootToken } as const;
  @Module({
    imports: [
      ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
      VaultModule.forRoot({ endpoint: bench.front.endpoint, auth, config: { sources: ['told'] } }),
      ...imports,
    ],
    providers,
    controllers: [OfRoutes],
  })
  class AppModule {}
  const app = await bench.boot(AppModule);
  const change = async (max: number) => {
    await bench.server.seed({ 'secret/told': { KEY: 'one', pool: { size: { max } } } });
    await app.get(VaultService).refresh();
  };
  return { app, change };
}

describe('@OnVaultChange', () => {
  it('is told once for every instance, whatever tokens it has, and for none that was never made', async () => {
    const value = Object.assign(new Single(), { name: 'value' });
    const { change } = await start(
      Single,
      { provide: 'alias', useExisting: Single },
      { provide: 'value', useValue: value },
      Derived,
      Transient,
      First,
      Second,
      OfRequest,
    );
    await change(2);
    expect(told.sort()).toEqual(['controller', 'derived', 'single', 'transient', 'transient', 'value']);
  });

  it('is told in guards, pipes, interceptors and filters that only a controller names', async () => {
    const { app } = await start();
    await bench.server.seed({ 'secret/told': { GUARDED: 'one' } });
    await app.get(VaultService).refresh();
    expect(told.sort()).toEqual(['controller', 'guard']);
  });

  it('of a key inside an object is told when the object has changed', async () => {
    const { change } = await start(OfKeys);
    await change(2);
    expect(told).toEqual(['inside an object', 'an object', 'controller']);
  });

  it('in a module that is loaded later is told once its provider has been made', async () => {
    const { app, change } = await start();
    const [waiting, goOn] = [gate(), gate()];
    @Injectable()
    class Late extends Single {
      override readonly name = 'late';
      constructor(@Inject('slow') readonly slow: unknown) {
        super();
      }
    }
    const slow = { provide: 'slow', useFactory: () => (waiting.open(), goOn.opened) };
    @Module({ providers: [Late, slow] })
    class LateModule {}
    const loading = app.get(LazyModuleLoader).load(() => LateModule);
    await waiting.opened;
    await change(2);
    expect(told).toEqual(['controller']);
    goOn.open();
    await loading;
    await change(3);
    expect(told.slice(1).sort()).toEqual(['controller', 'late']);
  });

  it('may ask for a refresh, and what it throws is logged without its message', async () => {
    const logged = gate();
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => logged.open());
    const { app, change } = await start(Asking);
    await change(2);
    expect((await app.get(Asking).result)?.change).toBeUndefined();
    await logged.opened;
    expect(error.mock.calls.flat()).toEqual(['Asking.onChange failed (TypeError) after a change of pool.']);
  });

  it('is called one after the other, in the order of modules, and for the next change after that', async () => {
    const entered = [gate(), gate()];
    const [goOn, ended] = [gate(), gate()];
    @Injectable()
    class Slow {
      @OnVaultChange()
      async onChange({ keys }: VaultConfigChange): Promise<void> {
        told.push(`slow begins ${keys.join()}`);
        entered[0]?.open();
        await goOn.opened;
        told.push('slow ends');
      }
      @OnVaultChange()
      async onSecond(): Promise<void> {
        told.push('second begins');
        await Promise.resolve();
        throw new TypeError('second');
      }
    }
    @Injectable()
    class Last {
      @OnVaultChange('OTHER')
      onChange(): void {
        told.push('other');
        ended.open();
      }
    }
    @Controller()
    class Inner extends OfRoutes {
      override readonly name = 'inner';
    }
    @Module({ controllers: [Inner], providers: [Slow] })
    class InnerModule {}
    const error = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
    const { app, change } = await startWith({ providers: [Last], imports: [InnerModule] });
    await change(2);
    await entered[0]?.opened;
    await bench.server.seed({ 'secret/told': { KEY: 'one', OTHER: 1, pool: { size: { max: 2 } } } });
    await app.get(VaultService).refresh();
    goOn.open();
    await ended.opened;
    const round = (keys: string) => [`slow begins ${keys}`, 'slow ends', 'second begins', 'inner'];
    expect(told.slice(0, 6)).toEqual(['controller', ...round('pool'), 'other']);
    expect(error.mock.calls.flat()[0]).toContain('(TypeError)');
  });

  it('is refused where it would never be called', () => {
    const refused = /@OnVaultChange\(\) cannot be used on "it"/;
    const define = (target: object) => OnVaultChange()(target, 'it', { value: () => undefined });
    expect(() => define(Single)).toThrow(refused);
    expect(() => define(Single.prototype)).not.toThrow();
    expect(() => OnVaultChange()(Single.prototype, 'it', { get: () => undefined })).toThrow(refused);
    expect(() => OnVaultChange()(Single.prototype, 'it', undefined as never)).toThrow(refused);
  });
});
