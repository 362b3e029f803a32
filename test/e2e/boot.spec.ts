import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import { Inject, Injectable, Logger, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import type { VaultConfigChange, VaultModuleOptions, VaultOptionsFactory } from '../../lib/index.js';
import { OnVaultChange, VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication, gate } from '../support/boot-application.js';

const SECRET = { SMTP_PASSWORD: 'hunter2', nested: { port: 25 } };

let server: VaultServer;
const open: INestApplicationContext[] = [];

beforeAll(async () => {
  server = await startVaultServer();
  await server.seed({ 'secret/my-app': SECRET });
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('PUT', 'sys/policies/acl/app', { policy: 'path "secret/*" { capabilities = ["read"] }' });
  await server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_policies: ['app'] });
});
afterAll(() => server.stop());
beforeEach(() => {
  for (const name of ['VAULT_ADDR', 'VAULT_TOKEN', 'BAO_ADDR', 'BAO_TOKEN']) delete process.env[name];
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
  await server.seed({ 'secret/my-app': SECRET });
});

function options(more: VaultModuleOptions = {}): VaultModuleOptions {
  return {
    endpoint: server.endpoint,
    auth: { method: 'userpass', username: 'app', password: 'pw-of-app' },
    config: { sources: ['my-app'] },
    ...more,
  };
}

async function start(...args: Parameters<typeof bootApplication>): Promise<INestApplicationContext> {
  const app = await bootApplication(...args);
  open.push(app);
  return app;
}

/** Accessors of the tokens of the userpass mount that the server still knows. */
async function liveTokens(): Promise<string[]> {
  const { body } = await server.request('GET', 'auth/token/accessors?list=true');
  const { keys } = (body as { data: { keys: string[] } }).data;
  const found = await Promise.all(
    keys.map(async (accessor) => {
      // One that is being revoked may go between the list and the question.
      const answer = await server.request('POST', 'auth/token/lookup-accessor', { accessor }).catch(() => undefined);
      return (answer?.body as { data: { path: string } } | undefined)?.data.path.startsWith('auth/userpass')
        ? [accessor]
        : [];
    }),
  );
  return found.flat();
}

/** Waits a while for revocations that a busy server still works on after their client has stopped waiting. */
async function expectTokens(expected: unknown): Promise<void> {
  const end = Date.now() + 10_000;
  let live = await liveTokens();
  while (live.length !== (expected as unknown[]).length && Date.now() < end) live = await liveTokens();
  expect(live).toEqual(expected);
}

@Injectable()
class Mailer {
  readonly password: string | undefined;
  constructor(config: ConfigService) {
    this.password = config.get<string>('SMTP_PASSWORD');
  }
}

describe('where the options come from', () => {
  it('forRoot without options takes everything from the environment', async () => {
    process.env['VAULT_ADDR'] = server.endpoint;
    process.env['VAULT_TOKEN'] = server.rootToken;
    @Module({ imports: [VaultModule.forRoot()] })
    class AppModule {}
    const app = await start(AppModule);
    expect((await app.get(VaultService).kv().read('my-app')).data).toEqual(SECRET);
  });

  it('useFactory injects ConfigService, which sees the environment, without imports', async () => {
    process.env['VAULT_ADDR'] = server.endpoint;
    @Module({
      imports: [
        VaultModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (env: ConfigService) => options({ endpoint: env.getOrThrow<string>('VAULT_ADDR') }),
        }),
      ],
      providers: [Mailer],
    })
    class AppModule {}
    expect((await start(AppModule)).get(Mailer).password).toBe('hunter2');
  });

  it('useFactory injects a provider of an imported module', async () => {
    @Injectable()
    class Directory {
      endpoint(): string {
        return server.endpoint;
      }
    }
    @Module({ providers: [Directory], exports: [Directory] })
    class DirectoryModule {}
    @Module({
      imports: [
        ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
        VaultModule.forRootAsync({
          imports: [DirectoryModule],
          inject: [Directory, ConfigService],
          useFactory: (directory: Directory) => options({ endpoint: directory.endpoint() }),
        }),
      ],
      providers: [Mailer],
    })
    class AppModule {}
    expect((await start(AppModule)).get(Mailer).password).toBe('hunter2');
  });

  it.each(['useClass', 'useExisting'] as const)('%s makes the options in a class', async (kind) => {
    @Injectable()
    class Options implements VaultOptionsFactory {
      constructor(@Inject(ConfigService) readonly config: ConfigService) {}
      createVaultOptions(): VaultModuleOptions {
        if (!(this.config instanceof ConfigService)) throw new Error('no ConfigService');
        return options();
      }
    }
    @Module({ imports: [ConfigModule], providers: [Options], exports: [Options] })
    class OptionsModule {}
    @Module({
      imports: [
        kind === 'useClass'
          ? VaultModule.forRootAsync({ useClass: Options })
          : VaultModule.forRootAsync({ useExisting: Options, imports: [OptionsModule] }),
      ],
      providers: [Mailer],
    })
    class AppModule {}
    expect((await start(AppModule)).get(Mailer).password).toBe('hunter2');
  });

  it('names the cure when a dependency of the factory is not imported', async () => {
    class Elsewhere {}
    @Module({ imports: [VaultModule.forRootAsync({ inject: [Elsewhere], useFactory: () => options() })] })
    class AppModule {}
    await expect(bootApplication(AppModule)).rejects.toMatchObject({
      code: 'VAULT_INVALID_OPTION',
      message: expect.stringContaining('forRootAsync({ imports: [...] })') as unknown,
    });
  });

  it('names the cure when an imported module relies on a global ConfigModule', async () => {
    @Injectable()
    class Directory {
      constructor(@Inject(ConfigService) readonly config: ConfigService) {}
    }
    @Module({ providers: [Directory], exports: [Directory] })
    class DirectoryModule {}
    const vault = VaultModule.forRootAsync({
      imports: [DirectoryModule],
      inject: [Directory],
      useFactory: () => options(),
    });
    @Module({ imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }), vault] })
    class AppModule {}
    await expect(bootApplication(AppModule)).rejects.toMatchObject({
      code: 'VAULT_INVALID_OPTION',
      message: expect.stringMatching(/DirectoryModule.* ConfigModule too\.$/) as unknown,
    });
  });

  it.each([
    ['none of them', {}],
    ['two of them', { useFactory: () => ({}), useClass: Mailer }],
    ['a useFactory that is no function', { useFactory: 7 }],
  ])('refuses %s', async (_, asyncOptions) => {
    @Module({ imports: [VaultModule.forRootAsync(asyncOptions as never)] })
    class AppModule {}
    await expect(bootApplication(AppModule)).rejects.toMatchObject({ code: 'VAULT_INVALID_OPTION' });
  });
});

describe('who sees it', () => {
  it('isGlobal: false keeps VaultService to those who import the module', async () => {
    @Module({
      providers: [
        {
          provide: 'vault',
          useFactory: (vault?: VaultService) => vault,
          inject: [{ token: VaultService, optional: true }],
        },
      ],
    })
    class Stranger {}
    const vault = VaultModule.forRootAsync({ useFactory: () => options(), isGlobal: false });
    @Module({ imports: [vault, Stranger] })
    class AppModule {}
    const app = await start(AppModule);
    expect(app.select(Stranger).get('vault')).toBeUndefined();
    expect(app.get(VaultService)).toBeInstanceOf(VaultService);
  });

  it('puts nothing into process.env', async () => {
    @Module({
      imports: [
        ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
        VaultModule.forRootAsync({ useFactory: () => options() }),
      ],
    })
    class AppModule {}
    await start(AppModule);
    expect(JSON.stringify(process.env)).not.toContain('hunter2');
  });

  it('explains where a value came from, and never shows it', async () => {
    @Module({
      imports: [
        VaultModule.forRootAsync({
          useFactory: () => options({ config: { sources: ['my-app', { secretPath: 'my-app', as: 'mail' }] } }),
        }),
      ],
    })
    class AppModule {}
    const app = await start(AppModule);
    const vault = app.get(VaultService);
    expect(vault.explain('mail.SMTP_PASSWORD')).toMatchObject({
      mountPath: 'secret',
      secretPath: 'my-app',
      version: expect.any(Number) as unknown,
    });
    expect(JSON.stringify(vault.origins())).not.toContain('hunter2');
    expect(vault.explain('mail.nested.port')).toEqual(vault.explain('mail.nested'));
    expect(vault.explain('mail.nested')).toMatchObject({ key: 'mail.nested', secretPath: 'my-app' });
    for (const key of ['PATH', 'mail.nested.nothing', 'mail.nested.port.toFixed'])
      expect(vault.explain(key)).toBeUndefined();
    expect(app.get(ConfigService).get('mail.nested.port')).toBe(25);
  });
});

describe('the same AppModule, booted again', () => {
  @Module({ imports: [VaultModule.forRootAsync({ useFactory: () => options() })], providers: [Mailer] })
  class AppModule {}

  it('after a close: with a new session and the values of then', async () => {
    const first = await start(AppModule);
    await expectTokens([first.get(VaultService).session.accessor]);
    await first.close();
    await expectTokens([]);
    await expect(first.get(VaultService).kv().read('my-app')).rejects.toMatchObject({ code: 'VAULT_CLOSED' });

    await server.seed({ 'secret/my-app': { SMTP_PASSWORD: 'changed' } });
    const second = await start(AppModule);
    expect(second.get(Mailer).password).toBe('changed');
    await expectTokens([second.get(VaultService).session.accessor]);
  });

  it('while the first is running: each has its own session and outlives the other', async () => {
    const first = await start(AppModule);
    await server.seed({ 'secret/my-app': { SMTP_PASSWORD: 'changed' } });
    const second = await start(AppModule);
    expect(second.get(Mailer).password).toBe('changed');
    await first.close();
    expect((await second.get(VaultService).kv().read('my-app')).data).toEqual({ SMTP_PASSWORD: 'changed' });
  });

  it('twice at once: shares one login, and the session lasts until the last has closed', async () => {
    const [first, second] = await Promise.all([start(AppModule), start(AppModule)]);
    expect(first.get(Mailer).password).toBe('hunter2');
    expect(second.get(Mailer).password).toBe('hunter2');
    await expectTokens([expect.any(String)]);
    await first.close();
    expect((await second.get(VaultService).kv().read('my-app')).data).toEqual(SECRET);
    await second.close();
    await expectTokens([]);
  });

  it('twice at once, one changing its configuration: the other does not notice', async () => {
    const [first, second] = await Promise.all([start(AppModule), start(AppModule)]);
    first.get(ConfigService).set(['nested', 'port'] as never, 26);
    expect(second.get(ConfigService).get('nested.port')).toBe(25);
  });

  it('after a boot that failed on a secret', async () => {
    await server.request('DELETE', 'secret/metadata/my-app');
    await expect(bootApplication(AppModule)).rejects.toMatchObject({ code: 'VAULT_CONFIGURATION' });
    await expectTokens([]);
    await server.seed({ 'secret/my-app': SECRET });
    expect((await start(AppModule)).get(Mailer).password).toBe('hunter2');
  });

  it('after a boot that failed in another provider: reads afresh, as the secret may have been the reason', async () => {
    let broken = true;
    @Module({
      imports: [AppModule],
      providers: [
        {
          provide: 'database',
          useFactory: (mailer: ConfigService) => {
            if (broken) throw new Error('connection refused');
            return mailer.get<string>('SMTP_PASSWORD');
          },
          inject: [ConfigService],
        },
      ],
    })
    class Root {}
    await expect(bootApplication(Root)).rejects.toThrow('connection refused');
    broken = false;
    await server.seed({ 'secret/my-app': { SMTP_PASSWORD: 'rotated' } });
    expect((await start(Root)).get('database')).toBe('rotated');
  });

  it('in a TestingModule, and with VaultService replaced', async () => {
    const fake = { kv: () => 'fake' };
    const testing = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(VaultService)
      .useValue(fake)
      .compile();
    open.push(testing);
    expect(testing.get(VaultService)).toBe(fake);
    expect(testing.get(Mailer).password).toBe('hunter2');
  });
});

describe('one boot', () => {
  it('loads once, two at once share it, and a later one loads again', async () => {
    let loads = 0;
    const useFactory = () => {
      loads += 1;
      return options();
    };
    @Module({ imports: [VaultModule.forRootAsync({ useFactory })] })
    class AppModule {}
    await start(AppModule);
    expect(loads).toBe(1);
    await Promise.all([start(AppModule), start(AppModule)]);
    expect(loads).toBe(2);
  });
});

describe('boots of the same module that overlap', () => {
  /** An application whose scan stops before or behind the module until its gate opens. */
  const application = (vault: DynamicModule, position: 'before' | 'behind') => {
    const [reached, go] = [gate(), gate()];
    class Waiting {}
    const waiting = new Promise<{ module: typeof Waiting }>((resolve) => {
      void go.opened.then(() => resolve({ module: Waiting }));
    });
    class Reaching {}
    const reaching = { module: Reaching, get imports() { return (reached.open(), []) } }; // prettier-ignore
    const imports = position === 'before' ? [reaching, waiting, vault] : [vault, reaching, waiting];
    return { root: { module: class AppModule {}, imports }, reached: reached.opened, go: () => go.open() };
  };

  it.each([
    ['one by one, all held behind the module', 'behind', 'in order'],
    ['one by one, all held behind the module, and let go the other way round', 'behind', 'reversed'],
    ['together, and let go one by one', 'before', 'in order'],
  ] as const)('log in at most once each: begun %s', async (_, position, order) => {
    const before = await liveTokens();
    for (const count of [2, 3, 6]) {
      let loads = 0;
      const vault = VaultModule.forRootAsync({ useFactory: () => ((loads += 1), options()) });
      const applications = Array.from({ length: count }, () => application(vault, position));
      const starting: Promise<INestApplicationContext>[] = [];
      for (const { root, reached } of applications) {
        starting.push(start(root));
        await reached;
      }
      const going = applications.map(({ go }, index) => ({ go, app: starting[index] }));
      for (const { go, app } of order === 'in order' ? going : going.reverse()) {
        go();
        await app;
      }
      expect(loads).toBeLessThanOrEqual(count);
      for (const app of await Promise.all(starting)) {
        expect((await app.get(VaultService).kv().read('my-app')).data).toEqual(SECRET);
        await app.close();
      }
      await expectTokens(before);
    }
  });
});

describe('a scan that gets two loads', () => {
  it('has one application, on the first of them', async () => {
    let loads = 0;
    const vault = VaultModule.forRootAsync({
      useFactory: () => ((loads += 1), options({ config: { sources: ['my-app'], load: [() => ({ LOAD: loads })] } })),
    });
    const promise = () => (vault.imports as unknown as Promise<DynamicModule>[])[0] as Promise<DynamicModule>;
    let reads = 0;
    // Between the two reads of a scan beside a slow import, another boot may consume a promise.
    const another = async () => (await promise(), promise());
    const contested = { ...vault, get imports() { return [(reads += 1) === 2 ? another() : promise()] } }; // prettier-ignore
    const changes: string[] = [];
    @Injectable()
    class Listener {
      @OnVaultChange()
      changed({ keys }: VaultConfigChange): void {
        changes.push(...keys);
      }
    }
    @Module({ imports: [contested], providers: [Mailer, Listener] })
    class AppModule {}
    const warn = jest.spyOn(Logger.prototype, 'warn');
    const app = await start(AppModule);
    expect(loads).toBe(2);
    expect([app.get(ConfigService).get('LOAD'), app.get(Mailer).password]).toEqual([1, 'hunter2']);
    expect(warn.mock.calls.filter(([text]) => String(text).includes('VaultModules'))).toEqual([]);
    warn.mockRestore();
    await server.seed({ 'secret/my-app': { ...SECRET, SMTP_PASSWORD: 'changed' } });
    await app.get(VaultService).refresh();
    expect(changes).toEqual(['SMTP_PASSWORD']);
    expect(app.get(ConfigService).get('SMTP_PASSWORD')).toBe('changed');
  });
});

describe('two modules in one application', () => {
  it('keep apart', async () => {
    await server.seed({ 'other/my-app': { OTHER: 'value' } });
    @Module({
      imports: [
        VaultModule.forRootAsync({ useFactory: () => options() }),
        VaultModule.forRootAsync({
          isGlobal: false,
          useFactory: () =>
            options({
              auth: { method: 'token', token: server.rootToken },
              config: { sources: [{ secretPath: 'my-app', mountPath: 'other' }] },
            }),
        }),
      ],
    })
    class AppModule {}
    const config = (await start(AppModule)).get(ConfigService);
    expect([config.get('SMTP_PASSWORD'), config.get('OTHER')]).toEqual(['hunter2', 'value']);
  });

  it.each([
    ['one warning when both have no name', undefined, 1],
    ['no warning when one has a name', 'second', 0],
  ])('%s', async (_, name, expected) => {
    const warn = jest.spyOn(Logger.prototype, 'warn');
    try {
      @Module({ imports: [VaultModule.forRoot(options()), VaultModule.forRoot(options(), name ? { name } : {})] })
      class AppModule {}
      await start(AppModule);
      const warnings = warn.mock.calls.filter(([text]) => String(text).includes('2 VaultModules without a name'));
      expect(warnings).toHaveLength(expected);
    } finally {
      warn.mockRestore();
    }
  });
});
