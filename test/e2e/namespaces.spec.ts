import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { Inject, Injectable, Logger, Module } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { LazyModuleLoader } from '@nestjs/core';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import type { VaultConfigNamespace, VaultModuleOptions } from '../../lib/index.js';
import { InjectVault, vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';

let server: VaultServer;
const open: INestApplicationContext[] = [];

const databaseSchema = z.object({
  username: z.string(),
  password: z.string().min(8),
  port: z.coerce.number().default(5432),
});
const databaseConfig = vaultConfig('database', { secretPath: 'database', schema: databaseSchema });
const DATABASE = { username: 'app', password: 'hunter2hunter2' };

beforeAll(async () => {
  server = await startVaultServer();
});
afterAll(() => server.stop());
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
  jest.restoreAllMocks();
});

function options(config: NonNullable<VaultModuleOptions['config']> = {}): VaultModuleOptions {
  return { endpoint: server.endpoint, auth: { method: 'token', token: server.rootToken }, config };
}

async function start(root: Parameters<typeof bootApplication>[0]): Promise<INestApplicationContext> {
  const app = await bootApplication(root);
  open.push(app);
  return app;
}

@Injectable()
class Pool {
  /** Read in the constructor: what was there when the consumer was made. */
  readonly seen: { username: string; password: string; port: number };
  constructor(@Inject(databaseConfig.KEY) readonly database: ConfigType<typeof databaseConfig>) {
    this.seen = { ...database };
  }
}

describe('a namespace', () => {
  it('in "sources" is injected, read by key, and typed, defaults included', async () => {
    await server.seed({ 'secret/database': DATABASE });
    @Module({ imports: [VaultModule.forRoot(options({ sources: [databaseConfig] }))], providers: [Pool] })
    class AppModule {}
    const app = await start(AppModule);
    expect(app.get(Pool).seen).toEqual({ ...DATABASE, port: 5432 });
    const port: number = app.get(Pool).database.port;
    expect(app.get<ConfigService<{ database: { port: number } }, true>>(ConfigService).get('database.port', { infer: true })).toBe(port); // prettier-ignore
    expect(app.get(VaultService).explain('database.password')).toMatchObject({ secretPath: 'database' });
    expect(JSON.stringify(app.get(VaultService).origins())).not.toContain('hunter2');
  });

  it('in forFeature is there for every consumer of its module, whichever way it reads', async () => {
    await server.seed({ 'secret/database': DATABASE });
    const seen: unknown[] = [];
    @Injectable()
    class Plain {
      constructor(config: ConfigService) {
        seen.push(config.get('database.password'));
      }
    }
    @Module({
      imports: [ConfigModule, VaultModule.forFeature(databaseConfig)],
      providers: [Pool, Plain],
      exports: [Pool],
    })
    class DatabaseModule {}
    // Before and after the module that reads them.
    @Module({ imports: [ConfigModule], providers: [Plain] })
    class OtherModule {}
    @Module({ imports: [DatabaseModule, VaultModule.forRoot(options(), { isGlobal: false }), OtherModule] })
    class AppModule {}
    const app = await start(AppModule);
    expect(app.get(Pool, { strict: false }).seen).toEqual({ ...DATABASE, port: 5432 });
    expect(seen).toEqual([DATABASE.password, DATABASE.password]);
  });

  it('feeds other modules through asProvider, load and forFeature of ConfigModule', async () => {
    await server.seed({ 'secret/database': DATABASE });
    @Module({})
    class OrmModule {}
    const orm = (provider: ReturnType<typeof databaseConfig.asProvider>) => ({
      module: OrmModule,
      imports: provider.imports,
      providers: [
        { provide: 'ORM', useFactory: (values: never) => provider.useFactory(values), inject: provider.inject },
      ],
      exports: ['ORM'],
    });
    @Module({ imports: [ConfigModule.forFeature(databaseConfig)], providers: [Pool], exports: [Pool] })
    class FeatureModule {}
    @Module({
      imports: [
        ConfigModule.forRoot({ isGlobal: true, load: [databaseConfig] }),
        FeatureModule,
        orm(databaseConfig.asProvider()),
        VaultModule.forRoot(options({ sources: [databaseConfig] })),
      ],
    })
    class AppModule {}
    const app = await start(AppModule);
    const injected = app.get(Pool, { strict: false }).database;
    expect(injected).toEqual({ ...DATABASE, port: 5432 });
    expect(app.get('ORM', { strict: false })).toBe(injected);
    expect(app.get(ConfigService, { strict: false }).get('database')).toBe(injected);
    expect(databaseConfig()).toBe(injected);
  });

  it('is composed of several secrets, later ones first', async () => {
    const mail = vaultConfig<{ host: string; password: string }>('mail', {
      sources: ['mail-defaults', { secretPath: 'mail', optional: true }],
    });
    await server.seed({
      'secret/mail-defaults': { host: 'localhost', password: 'none' },
      'secret/mail': { password: 'pw' },
    });
    @Module({ imports: [VaultModule.forRoot(options({ sources: [mail] }))] })
    class AppModule {}
    const app = await start(AppModule);
    expect(app.get(ConfigService, { strict: false }).get('mail')).toEqual({ host: 'localhost', password: 'pw' });
    expect(app.get(VaultService).explain('mail.password')).toMatchObject({
      secretPath: 'mail',
      overrides: [{ secretPath: 'mail-defaults' }],
    });
  });

  it('of a module that is loaded later is read then', async () => {
    await server.seed({ 'secret/late': { word: 'later' }, 'secret/my-app': { A: 1 } });
    @Module({ imports: [VaultModule.forRoot(options({ sources: ['my-app'] }))] })
    class AppModule {}
    const app = await start(AppModule);
    const late = vaultConfig<{ word: string }>('late', { secretPath: 'late' });
    @Module({ imports: [VaultModule.forFeature(late)] })
    class LateModule {}
    const module = await app.get(LazyModuleLoader).load(() => LateModule);
    expect(module.get<object>(late.KEY, { strict: false })).toEqual({ word: 'later' });
    expect(app.get(ConfigService, { strict: false }).get('late.word')).toBe('later');
  });

  it('that fails stops only the application that uses it', async () => {
    const absent = vaultConfig('absent', { secretPath: 'no-such-secret' });
    @Module({ imports: [VaultModule.forFeature(absent)] })
    class AbsentModule {}
    await server.seed({ 'secret/my-app': { A: 1 } });
    @Module({ imports: [VaultModule.forRoot(options({ sources: ['my-app'] }))] })
    class Without {}
    @Module({ imports: [Without, AbsentModule] })
    class With {}
    expect((await start(Without)).get(ConfigService, { strict: false }).get('A')).toBe(1);
    await expect(start(With)).rejects.toMatchObject({
      code: 'VAULT_CONFIGURATION',
      message: expect.stringContaining('no-such-secret') as unknown,
    });
  });

  it('without a VaultModule, or not read, says so', async () => {
    const lonely = vaultConfig('lonely', { secretPath: 'x' });
    @Module({ imports: [VaultModule.forFeature(lonely)] })
    class AppModule {}
    await expect(start(AppModule)).rejects.toThrow('needs a VaultModule');
    expect(() => vaultConfig('unread', { secretPath: 'x' })()).toThrow('has not been read');
  });
});

describe.each<[string, VaultConfigNamespace<{ port: number; password: string }>]>([
  ['zod', vaultConfig('checked', { secretPath: 'checked', schema: z.object({ port: z.coerce.number(), password: z.string().min(20) }) })], // prettier-ignore
  ['valibot', vaultConfig('checked', { secretPath: 'checked', schema: v.object({ port: v.pipe(v.string(), v.transform(Number), v.number()), password: v.pipe(v.string(), v.minLength(20, (issue) => `too short: ${issue.input}`)) }) })], // prettier-ignore
  ['arktype', vaultConfig('checked', { secretPath: 'checked', schema: type({ port: 'string.numeric.parse', password: 'string >= 20' }) })], // prettier-ignore
])('a schema of %s', (_vendor, checked) => {
  const boot = async (secret: Record<string, unknown>) => {
    await server.seed({ 'secret/checked': secret });
    @Module({ imports: [VaultModule.forRoot(options({ sources: [checked] }))] })
    class AppModule {}
    return start(AppModule);
  };

  it('transforms', async () => {
    const app = await boot({ port: '5432', password: 'p'.repeat(20) });
    expect(app.get(ConfigService, { strict: false }).get('checked')).toEqual({ port: 5432, password: 'p'.repeat(20) });
  });

  it('names keys and rules, never a value', async () => {
    const error: unknown = await boot({ port: '7', password: 'CANARY-7' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'VAULT_CONFIGURATION' });
    const { message } = error as Error;
    expect(message).toContain('vaultConfig("checked")');
    expect(message).toContain('"checked.password"');
    expect(message).not.toMatch(/CANARY/);
    const absent: unknown = await boot({ port: '7' }).catch((thrown: unknown) => thrown);
    expect((absent as Error).message).toContain('"checked.password"');
  });
});

describe('two modules', () => {
  it('do not read namespaces that are declared for another', async () => {
    const payments = vaultConfig('payments', { secretPath: 'database', vault: 'payments' });
    @Module({ imports: [VaultModule.forRoot(options({ sources: [payments] }))] })
    class AppModule {}
    await expect(start(AppModule)).rejects.toThrow(
      'vaultConfig("payments") has vault: "payments", and stands in "config.sources" of the VaultModule that has no name.',
    );
  });

  it('with different servers and names keep apart', async () => {
    const other = await startVaultServer();
    try {
      await server.seed({ 'secret/first': { FIRST: 'of the first' } });
      await other.seed({ 'secret/second': { word: 'of the second' } });
      const second = vaultConfig<{ word: string }>('second', { secretPath: 'second', vault: 'other' });
      @Injectable()
      class Consumer {
        constructor(
          readonly vault: VaultService,
          @InjectVault('other') readonly otherVault: VaultService,
          @Inject(second.KEY) readonly second: { word: string },
          readonly config: ConfigService,
        ) {}
      }
      @Module({ imports: [VaultModule.forFeature(second)], providers: [Consumer] })
      class FeatureModule {}
      @Module({
        imports: [
          FeatureModule,
          VaultModule.forRoot(options({ sources: ['first'] })),
          VaultModule.forRootAsync({
            name: 'other',
            useFactory: () => ({ endpoint: other.endpoint, auth: { method: 'token', token: other.rootToken } }),
          }),
        ],
      })
      class AppModule {}
      const consumer = (await start(AppModule)).get(Consumer, { strict: false });
      expect(consumer.second.word).toBe('of the second');
      expect(consumer.config.get('FIRST')).toBe('of the first');
      expect(consumer.vault.explain('FIRST')).toMatchObject({ secretPath: 'first' });
      expect(consumer.vault.explain('second.word')).toBeUndefined();
      expect(consumer.otherVault.origins().map(({ key }) => key)).toEqual(['second.word']);
      await expect(consumer.otherVault.kv().read('first')).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
    } finally {
      await other.stop();
    }
  });
});

describe('a schema that makes a class', () => {
  class Connection {
    constructor(readonly password: string) {}
    get url() {
      return `pg://${this.password}@db`;
    }
  }
  class Plain {
    constructor(readonly password: string) {}
  }
  const boot = async (made: (password: string) => object) => {
    await server.seed({ 'secret/made': { password: 'hunter2hunter2' } });
    const schema = z.object({ password: z.string() }).transform(({ password }) => made(password));
    @Module({
      imports: [VaultModule.forRoot(options({ sources: [vaultConfig('made', { secretPath: 'made', schema })] }))],
    })
    class AppModule {}
    return (await start(AppModule)).get(ConfigService, { strict: false });
  };

  it.each<[string, (password: string) => object]>([
    ['with getters', (password) => new Connection(password)],
    ['that is built in', (password) => new Map([['password', password]])],
  ])('%s is refused: the namespace would have lost them', async (_, made) => {
    await expect(boot(made)).rejects.toThrow(/vaultConfig\("made"\) makes an instance of a class.*plain object/);
  });

  it('is fine as the value of a key, and where it has nothing to lose', async () => {
    expect((await boot((password) => ({ connection: new Connection(password) }))).get('made.connection.url')).toBe(
      'pg://hunter2hunter2@db',
    );
    expect((await boot((password) => new Plain(password))).get('made')).toEqual({ password: 'hunter2hunter2' });
  });

  it('are told apart by a warning when both have a key or namespace of one name, and by none when they have not', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await server.seed({ 'secret/one': { SAME: '1', ONE: '1' }, 'secret/two': { SAME: '2', TWO: '2' } });
    const both = (second: NonNullable<VaultModuleOptions['config']>) => {
      @Module({
        imports: [
          VaultModule.forRoot(options({ sources: ['one', vaultConfig('shared', { secretPath: 'one' })] })),
          VaultModule.forRoot(options(second), { name: 'other' }),
        ],
      })
      class AppModule {}
      return AppModule;
    };
    const apart = vaultConfig('apart', { secretPath: 'two', vault: 'other' });
    await start(both({ sources: [{ secretPath: 'two', prefix: 'OTHER_' }, apart] }));
    expect(warn).not.toHaveBeenCalled();
    const shared = vaultConfig('shared', { secretPath: 'two', vault: 'other' });
    await start(both({ sources: ['two', shared] }));
    expect(warn.mock.calls.flat().join('\n')).toMatch(
      /^Two VaultModules, the one .* and the one .*, both have (SAME, shared|shared, SAME): [^\n]*$/,
    );
  });
});

describe('vaultConfig()', () => {
  it.each<[unknown[], RegExp]>([
    [['', { secretPath: 'x' }], /takes a name/],
    [[7, { secretPath: 'x' }], /takes a name/],
    [['a..b', { secretPath: 'x' }], /no configuration key/],
    [['__proto__', { secretPath: 'x' }], /no configuration key/],
    [['x'], /takes an object/],
    [['x', {}], /either "secretPath" or "sources"/],
    [['x', { secretPath: 'a', sources: ['b'] }], /either "secretPath" or "sources"/],
    [['x', { sources: [] }], /empty list/],
    [['x', { sources: 'a' }], /takes a list as "sources"/],
    [['x', { sources: ['a'], mountPath: 'kv' }], /"mountPath" beside "sources"/],
    [['x', { sources: ['a'], optional: true, schema: databaseSchema }], /"optional" beside "sources"/],
    [['x', { sources: ['a'], shcema: databaseSchema }], /"shcema" beside "sources"/],
    [['x', { secretPath: 'a', as: 'y' }], /takes no "as"/],
    [['x', { secretPath: 'a', schema: {} }], /not a Standard Schema/],
    [['x', { secretPath: 'a', vault: 7 }], /not a name/],
  ])('refuses %j', (args, message) => {
    expect(() => (vaultConfig as (...all: unknown[]) => unknown)(...args)).toThrow(message);
  });

  it.each<unknown>([Symbol('a'), undefined, null, {}, { toString: null }])('refuses a name of another type', (name) => {
    expect(() => vaultConfig(name as never, { secretPath: 'a' })).toThrow(
      expect.objectContaining({ code: 'VAULT_INVALID_OPTION' }),
    );
  });

  it.each(['secretPath', 'sources', 'schema', 'vault'])('refuses a getter of %s that throws', async (option) => {
    const fail = (): never => {
      throw new TypeError('raw');
    };
    const options = Object.defineProperty({}, option, { enumerable: true, get: fail });
    const typed = expect.objectContaining({ code: 'VAULT_INVALID_OPTION' }) as unknown as Error;
    expect(() => vaultConfig('a', options as never)).toThrow(typed);
    const ofModule = Object.defineProperty({}, 'config', { enumerable: true, get: fail });
    await expect(bootApplication(VaultModule.forRoot(ofModule))).rejects.toEqual(typed);
  });

  it('refuses what is no namespace in forFeature', () => {
    expect(() => VaultModule.forFeature((() => ({})) as never)).toThrow('namespaces that vaultConfig() has made');
  });
});
