import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { DynamicModule, FactoryProvider, INestApplicationContext, Provider } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { ConfigModuleOptions } from '@nestjs/config';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import type { VaultConfigOptions } from '../../lib/index.js';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { AuthBench } from '../support/auth-bench.js';
import { bootApplication } from '../support/boot-application.js';
import { renderError } from '../support/render-error.js';

const REFERENCE = 'vault:secret/data/db#password?CANARY-DEFAULT';
let bench: AuthBench;
const open: INestApplicationContext[] = [];
const environment = { ...process.env };

beforeAll(async () => {
  bench = await AuthBench.start();
  await bench.server.seed({
    'secret/db': { password: 'hunter2', note: 'vault:secret/other#key', deep: [{ note: '${vault:secret/other#key}' }] },
  });
  await bench.server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await bench.server.request('PUT', 'sys/policies/acl/app', {
    policy: 'path "secret/data/*" { capabilities = ["read"] }',
  });
  await bench.server.request('POST', 'auth/userpass/users/app', { password: 'pw', token_policies: ['app'] });
});
afterAll(() => bench.stop());
afterEach(async () => {
  process.env = { ...environment };
  await Promise.all(open.splice(0).map((app) => app.close()));
  await bench.reset();
});

/** Beside each other: what `ConfigModule` loads, and what the modules of Vault do. */
async function start(options: ConfigModuleOptions, ...vaults: (VaultConfigOptions & { name?: string })[]) {
  const modules = (vaults.length === 0 ? [{}] : vaults).map(({ name, ...config }: { name?: string }) =>
    VaultModule.forRoot(
      { endpoint: bench.front.endpoint, auth: { method: 'userpass', username: 'app', password: 'pw' }, config },
      name === undefined ? {} : { name },
    ),
  );
  @Module({ imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, ...options }), ...modules] })
  class AppModule {}
  const app = await bootApplication(AppModule);
  open.push(app);
  return app.get(ConfigService);
}

const failure = (...given: Parameters<typeof start>): Promise<Error> =>
  start(...given).then(
    () => {
      throw new Error('It booted.');
    },
    (error: Error) => error,
  );

const namespace = registerAs('database', () => ({ host: 'db', password: REFERENCE }));

describe('references that ConfigModule itself has loaded', () => {
  it('stop the boot, with their keys and the fix, and nothing of their text', async () => {
    const error = await failure({
      load: [
        namespace,
        () => ({
          TOKEN: REFERENCE,
          'odd\nkey': REFERENCE,
          smtp: { url: ['smtp://x:${vault:secret/db#password}@mail'] },
        }),
      ],
    });
    expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    expect(error.message).toBe(
      `ConfigService has unresolved references to Vault: "TOKEN", "odd\\nkey", "database.password", "smtp.url.0". ConfigModule's own "load" and "validate" see references in process.env, not their values. Move the factory to "config.load", which takes the same factories:
    VaultModule.forRoot({ config: { load: [databaseConfig] } })
or have the variables replaced for as long as the application runs, which "load" then sees:
    VaultModule.forRoot({ config: { exportToProcessEnv: 'references' } })
If such a text is meant as it is, name its key in "config.references.literal".`,
    );
    expect(renderError(error)).not.toMatch(/CANARY|secret\/data|hunter2|smtp:\/\//);
    // Nest does not shut down what failed to come up: the token has been given back by then.
    expect(bench.sent('/auth/token/revoke-self')).toHaveLength(1);
  });

  it('are resolved where the error says', async () => {
    const config = await start({}, { load: [namespace] });
    expect(config.get('database')).toEqual({ host: 'db', password: 'hunter2' });
  });

  it('are found in forFeature and in instances of classes, which "config.load" hands on as they are', async () => {
    class Database {
      readonly password = REFERENCE;
    }
    const load = registerAs('database', () => new Database() as unknown as Record<string, unknown>);
    expect((await failure({ load: [load] })).message).toContain('has an unresolved reference to Vault: "database.password"'); // prettier-ignore
    const instance = () => ({ database: new Database() });
    expect((await failure({}, { load: [instance] })).message).toContain('"database.password"');
    @Module({ imports: [ConfigModule.forFeature(namespace)] })
    class Feature {}
    const vault = VaultModule.forRoot({
      endpoint: bench.front.endpoint,
      auth: { method: 'token', token: bench.server.rootToken },
    });
    await expect(bootApplication({ module: class AppModule {}, imports: [vault, Feature] })).rejects.toThrow('"database.password"'); // prettier-ignore
  });

  it('are found under the names that "validate" gives to variables, and under no other', async () => {
    process.env['DB_PASSWORD'] = REFERENCE;
    const renaming = (variables: Record<string, unknown>) => ({ ...variables, db: { password: variables['DB_PASSWORD'] } }); // prettier-ignore
    const error = await failure({ validate: renaming });
    expect(error.message).toContain('unresolved reference to Vault: "db.password".');
    const config = await start({ validate: (variables) => variables });
    expect(config.get('DB_PASSWORD')).toBe('hunter2');
  });

  it('are found when the parser of .env has cut them at the "#"', async () => {
    const load = () => ({ database: { password: 'vault:secret/data/db', url: 'pg://app:${vault:secret/db' } });
    expect((await failure({ load: [load] })).message).toContain('"database.password", "database.url"');
  });

  it('are counted when there are many', async () => {
    const load = () => Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key${index}`, REFERENCE]));
    expect((await failure({ load: [load] })).message).toContain('"key9" and 9990 more. ');
  });

  it('are left alone where they are meant, or nobody has asked for references', async () => {
    const load = [() => ({ worker: { env: [REFERENCE], name: 'w' }, worker2: REFERENCE })];
    const literal = ['worker.env', 'worker2'];
    expect((await start({ load }, { references: { literal } })).get('worker.env.0')).toBe(REFERENCE);
    expect((await start({ load }, { references: false })).get('worker2')).toBe(REFERENCE);
    const error = await failure({ load }, { references: { literal: ['worker', 'worker2.x'] } });
    expect(error.message).toContain('reference to Vault: "worker2".');
  });
});

describe('texts that are no unresolved references', () => {
  it('boot: ciphertexts, addresses, what is a getter, and objects that hold themselves', async () => {
    let asked = 0;
    const cyclic: Record<string, unknown> = { cipher: 'vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==', url: 'vault://host/x#y' }; // prettier-ignore
    cyclic['self'] = [cyclic];
    const trap = () => {
      asked += 1;
      return REFERENCE;
    };
    Object.defineProperty(cyclic, 'getter', { get: trap, enumerable: true });
    cyclic['proxy'] = new Proxy({}, { get: trap, ownKeys: trap, getOwnPropertyDescriptor: trap as never });
    const config = await start({ load: [registerAs('odd', () => cyclic)] });
    expect(asked).toBe(0);
    expect(config.get('odd.cipher')).toContain('vault:v1:');
  });

  it('boot: values of secrets, whichever module has read them and whatever it thinks of references', async () => {
    const config = await start(
      {},
      { sources: [{ secretPath: 'db', as: 'db' }] },
      { sources: [{ secretPath: 'db', keys: ['note'] }], references: false, name: 'other' },
      { load: [() => ({ kept: 'vault:secret/other#key' })], references: false, name: 'third' },
    );
    expect(config.get('db.note')).toBe('vault:secret/other#key');
    expect(config.get('note')).toBe('vault:secret/other#key');
    expect(config.get('kept')).toBe('vault:secret/other#key');
  });

  it('boot: variables that are references, with every order of precedence', async () => {
    process.env['DB_PASSWORD'] = 'vault:secret/db#password';
    process.env['DB_NOTE'] = 'vault:secret/db#note';
    for (const precedence of ['vault', 'env'] as const) {
      const config = await start(
        { validate: (variables) => ({ ...variables }) },
        { precedence, aliases: 'SCREAMING_CASE', sources: [{ secretPath: 'db', as: 'db' }] },
      );
      expect(config.get('DB_PASSWORD')).toBe('hunter2');
      expect(config.get('DB_NOTE')).toBe('vault:secret/other#key');
    }
  });
});

describe('references that ConfigModule itself has loaded, before any consumer', () => {
  const flat = () => ({ password: process.env['DB_PASSWORD'] });
  const late = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return flat();
  };
  const validate = (variables: Record<string, unknown>) => ({
    ...variables,
    db: { password: variables['DB_PASSWORD'] },
  });
  const keyed = registerAs('late', () => late());

  it.each<[string, ConfigModuleOptions, DynamicModule[], string]>([
    ['load', { load: [flat] }, [], 'password'],
    ['asynchronous load', { load: [late] }, [], 'password'],
    ['registerAs', { load: [registerAs('late', () => flat())] }, [], 'late.password'],
    ['asynchronous registerAs', { load: [keyed] }, [], 'late.password'],
    ['forFeature', {}, [ConfigModule.forFeature(registerAs('late', () => flat()))], 'late.password'],
    ['asynchronous forFeature', {}, [ConfigModule.forFeature(keyed)], 'late.password'],
    ['validate', { validate }, [], 'db.password'],
  ])('stop the boot: %s', async (_, options, imports, key) => {
    process.env['DB_PASSWORD'] = REFERENCE;
    const seen: unknown[] = [];
    const consumer = (token: string, inject: unknown[]): FactoryProvider => ({
      provide: token,
      inject: inject as FactoryProvider['inject'] & unknown[],
      useFactory: (config: ConfigService & Record<string, unknown>) => {
        seen.push(config instanceof ConfigService ? (config.get<unknown>(key) ?? 'nothing') : config['password']);
        return {};
      },
    });
    // One relies on the global module, another one imports the plain one.
    @Module({ imports: [ConfigModule], providers: [consumer('plain', [ConfigService])] })
    class Plain {}
    for (const order of ['first', 'last']) {
      const vault = VaultModule.forRoot({
        endpoint: bench.front.endpoint,
        auth: { method: 'userpass', username: 'app', password: 'pw' },
      });
      const others = [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, ...options }), ...imports, Plain];
      const providers = [consumer('global', [ConfigService])];
      if (key.startsWith('late')) providers.push(consumer('keyed', [keyed.KEY]));
      await bench.reset();
      const boot = bootApplication({
        module: class AppModule {},
        imports: order === 'first' ? [vault, ...others] : [...others, vault],
        providers,
      });
      const error = await boot.then(
        () => new Error('It booted.'),
        (failed: Error) => failed,
      );
      expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
      expect(error.message).toContain(`"${key}"`);
      expect(error.message).toMatch(/config\.load[^]*exportToProcessEnv: 'references'/);
      expect(renderError(error)).not.toMatch(/CANARY|hunter2/);
      expect(bench.sent('/auth/token/revoke-self')).toHaveLength(1);
    }
    expect(seen.filter((value) => value !== 'nothing')).toEqual([]);
  });

  it('give way to a value of their name that the module has', async () => {
    process.env['DB_PASSWORD'] = 'vault:secret/db#password';
    const config = await start({ load: [() => ({ DB_PASSWORD: process.env['DB_PASSWORD'], port: 1 })] });
    expect([config.get('DB_PASSWORD'), config.get('port')]).toEqual(['hunter2', 1]);
  });
});

describe('a namespace from Vault beside one of ConfigModule', () => {
  const made = () => ({ host: 'db', port: 5432, password: 'local', pool: { max: 3 } });
  const slow = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return made();
  };
  const source = { secretPath: 'db', keys: ['password'] };
  const whole = { host: 'db', port: 5432, password: 'hunter2', pool: { max: 3 } };

  it.each([
    ['registerAs', registerAs('database', () => made())],
    ['asynchronous registerAs', registerAs('database', () => slow())],
  ])('is united with it, and stays current: %s', async (_, load) => {
    for (const sources of [[{ ...source, as: 'database' }], [vaultConfig('database', source)]]) {
      for (const precedence of ['vault', 'env'] as const) {
        @Module({
          imports: [
            ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [load] }),
            VaultModule.forRoot({
              endpoint: bench.front.endpoint,
              auth: { method: 'token', token: bench.server.rootToken },
              config: { sources, precedence },
            }),
          ],
        })
        class AppModule {}
        const app = await bootApplication(AppModule);
        open.push(app);
        expect(app.get(ConfigService).get('database')).toEqual(whole);
        expect(app.get(load.KEY)).toEqual(whole);
        await bench.server.seed({ 'secret/db': { password: 'rotated' } });
        await app.get(VaultService).refresh();
        expect(app.get(load.KEY)).toEqual({ ...whole, password: 'rotated' });
        expect(app.get(ConfigService).get('database')).toEqual({ ...whole, password: 'rotated' });
        await bench.server.seed({ 'secret/db': { password: 'hunter2' } });
      }
    }
  });

  it('is united with what a factory without a name makes', async () => {
    const config = await start({ load: [() => ({ database: made() })] }, { sources: [{ ...source, as: 'database' }] });
    expect(config.get('database')).toEqual(whole);
  });

  it.each([
    [
      'an object',
      { password: 'hunter2', pool: { min: 1 } },
      ['"database.host"', '"database.port"', '"database.pool.max"'],
    ],
    ['a text', 'hunter2', ['"database.host"']],
    ['a list', ['hunter2'], ['"database.host"']],
  ])('stops the boot when it is %s in one key of a secret, naming what would be lost', async (_, database, names) => {
    await bench.server.seed({ 'secret/one-key': { database } });
    const load = registerAs('database', () => made());
    const error = await failure({ load: [load] }, { sources: ['one-key'] });
    expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    for (const name of names) expect(error.message).toContain(name);
    expect(error.message).not.toMatch(/hunter2|local|5432/);
  });

  it.each([
    ['an object', { password: 'hunter2', pool: { min: 1 } }, ['"database.host"', '"database.pool.max"']],
    ['a text', 'hunter2', ['"database.host"', '"database.pool"']],
  ])('stops the boot when it is %s in one key, beside instances of classes', async (_, database, names) => {
    class Pool {
      readonly max = 5;
    }
    class Database {
      readonly host = 'local';
      readonly pool = new Pool();
    }
    await bench.server.seed({ 'secret/one-key': { database } });
    const error = await failure({ load: [() => ({ database: new Database() })] }, { sources: ['one-key'] });
    expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    for (const name of names) expect(error.message).toContain(name);
    expect(error.message).not.toMatch(/hunter2|local/);
  });

  it('calls no getter of an object that it replaces', async () => {
    const host = jest.fn(() => {
      throw new Error('of the getter');
    });
    const database = Object.defineProperty({ port: 1 }, 'host', { get: host, enumerable: true, configurable: true });
    await bench.server.seed({ 'secret/one-key': { database: { port: 2 } } });
    const error = await failure({ load: [() => ({ database })] }, { sources: ['one-key'] });
    expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    expect(error.message).toContain('"database.host"');
    expect(host).not.toHaveBeenCalled();
  });

  it.each([
    ['a list', ['one', 'two']],
    ['a date', new Date(0)],
    ['bytes', Buffer.from('bytes')],
  ])('replaces %s of a factory, which is one value', async (_, value) => {
    await bench.server.seed({ 'secret/one-key': { database: 'hunter2' } });
    const config = await start({ load: [() => ({ database: value })] }, { sources: ['one-key'] });
    expect(config.get('database')).toBe('hunter2');
  });

  it('replaces what a factory has made, when it is an object in one key that has all of its keys', async () => {
    const database = { ...made(), password: 'hunter2' };
    await bench.server.seed({ 'secret/one-key': { database } });
    const config = await start({ load: [registerAs('database', () => made())] }, { sources: ['one-key'] });
    expect(config.get('database')).toEqual(database);
  });

  it('stops the boot beside an instance of a class, naming what would be lost', async () => {
    class Database {
      readonly host = 'db';
    }
    const load = registerAs('database', () => new Database() as unknown as Record<string, unknown>);
    const error = await failure({ load: [load] }, { sources: [{ ...source, as: 'database' }] });
    expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    expect(error.message).toMatch(/"database"[^]*"host"/);
  });
});

describe('references that providers have copied from process.env', () => {
  const COPIED = 'vault:secret/db#password?CANARY-DEFAULT';
  const boot = async (providers: Provider[], config: VaultConfigOptions = {}) => {
    const { literal = [] } = typeof config.references === 'object' ? config.references : {};
    const app = await bootApplication({
      module: class AppModule {},
      imports: [
        ConfigModule.forRoot({
          isGlobal: true,
          ignoreEnvFile: true,
          load: literal.includes('db.url') ? [() => ({ db: { url: `pg://${COPIED}` } })] : [],
        }),
        VaultModule.forRoot({
          endpoint: bench.front.endpoint,
          auth: { method: 'userpass', username: 'app', password: 'pw' },
          config,
        }),
      ],
      providers,
    });
    open.push(app);
    return app;
  };
  const created: unknown[] = [];
  class Signer {
    readonly options = { secret: process.env['DB_PASSWORD'] };
    constructor() {
      created.push(this);
    }
  }
  class Holder {
    readonly signer = new Signer();
  }
  /** As the options of `JwtModule.register()`, which are made when the file is imported. */
  const options = (make: (secret: string) => unknown): Provider => ({ provide: 'OPTIONS', useValue: make(COPIED) });

  beforeEach(() => {
    created.length = 0;
    process.env['DB_PASSWORD'] = COPIED;
  });

  it.each<[string, string, Provider]>([
    ['the text itself', '"OPTIONS"', options((secret) => secret)],
    ['nested options', '"OPTIONS.jwt.secrets.0"', options((secret) => ({ jwt: { secrets: [secret] } }))],
    ['a longer text', '"OPTIONS.url"', options((secret) => ({ url: `pg://app:${secret}@db` }))],
    ['an instance of a class', '"OPTIONS.options.secret"', { provide: 'OPTIONS', useFactory: () => new Signer() }],
    ['a class', '"Holder.signer.options.secret"', Holder],
    ['what an asynchronous factory makes', '"OPTIONS.secret"', { provide: 'OPTIONS', useFactory: () => Promise.resolve({ secret: COPIED }) }], // prettier-ignore
  ])('stop the boot, without the text: %s', async (_, name, provider) => {
    const error: unknown = await boot([provider]).catch((failed: unknown) => failed);
    expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    expect(String(error)).toContain(name);
    expect(renderError(error)).not.toMatch(/CANARY|hunter2/);
    expect(bench.sent('/auth/token/revoke-self')).toHaveLength(1);
  });

  it('stop it before any provider is created, when they are values', async () => {
    const error: unknown = await boot([options((secret) => ({ secret })), Signer]).catch((failed: unknown) => failed);
    expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    expect(created).toEqual([]);
  });

  it('are no matter when they are resolved first', async () => {
    const app = await boot([Signer], { exportToProcessEnv: 'references' });
    expect(app.get(Signer).options.secret).toBe('hunter2');
  });

  it.each<[string, Provider[], VaultConfigOptions]>([
    ['process.env itself', [{ provide: 'ENV', useValue: process.env }], {}],
    ['what is meant', [options((secret) => ({ secret }))], { references: { literal: ['OPTIONS.secret'] } }],
    ['a variable that is meant', [Signer], { references: { literal: ['DB_PASSWORD'] } }],
    ['another reference', [{ provide: 'OPTIONS', useValue: { text: 'vault:secret/other#key' } }], {}],
    ['what has ConfigService', [{ provide: 'X', useFactory: (config: ConfigService) => ({ config }), inject: [ConfigService] }], {}], // prettier-ignore
    [
      'a value of ConfigModule that is meant, and a copy of it',
      [
        { provide: 'COPY', useFactory: (config: ConfigService) => ({ url: config.get<string>('db.url') }), inject: [ConfigService] }, // prettier-ignore
        { provide: 'WHOLE', useFactory: (config: ConfigService) => ({ db: config.get<object>('db') }), inject: [ConfigService] }, // prettier-ignore
      ],
      { references: { literal: ['db.url'] } },
    ],
    ['references that are off', [Signer], { references: false }],
  ])('are left alone: %s', async (_, providers, config) => {
    await expect(boot(providers, config)).resolves.toBeDefined();
  });
});
