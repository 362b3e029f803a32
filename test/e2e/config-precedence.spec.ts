import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import { LazyModuleLoader } from '@nestjs/core';
import type { VaultConfigOptions } from '../../lib/index.js';
import { vaultConfig, VaultInvalidOptionError, VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';

let server: VaultServer;
let folder: string;
const open: INestApplicationContext[] = [];
const environment = { ...process.env };
const home = process.cwd();

beforeAll(async () => {
  server = await startVaultServer();
  folder = await mkdtemp(join(tmpdir(), 'nestjs-vault-precedence-'));
  process.chdir(folder);
});
afterAll(async () => {
  process.chdir(home);
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});
afterEach(async () => {
  process.env = { ...environment };
  await rm('.env', { force: true });
  await Promise.all(open.splice(0).map((app) => app.close()));
});

type Imports = NonNullable<DynamicModule['imports']>;

async function start(
  config: VaultConfigOptions,
  options: Parameters<typeof ConfigModule.forRoot>[0] = {},
  features: Imports = [],
) {
  const vault = VaultModule.forRoot({
    endpoint: server.endpoint,
    auth: { method: 'token', token: server.rootToken },
    config,
  });
  @Module({ imports: [...features, ConfigModule.forRoot({ isGlobal: true, ...options }), vault] })
  class AppModule {}
  const app = await bootApplication(AppModule);
  open.push(app);
  return app;
}

/** Weakest first, as docs/configuration.md lists them from 1. Each sets K1 to K<its own number>, and nothing above. */
const RANKS = [
  'default of get()',
  '.env',
  'process.env',
  'config.load',
  'layout: shared',
  'layout: shared/profile',
  'layout: application',
  'layout: application/profile',
  'sources: first',
  'sources: second',
] as const;

/** The same for a place that a namespace of `forFeature` has, which is never at the top. */
const RANKS_OF_PLACE = ['default of get()', 'config.load', 'sources: first', 'sources: second', 'forFeature'] as const;

describe('the order of precedence', () => {
  /** `K5` is set by ranks 1 to 5: who wins is rank 5. */
  const keysOf = (rank: number, ranks: readonly string[] = RANKS) =>
    Object.fromEntries(ranks.flatMap((_, index) => (index + 1 >= rank ? [[`K${index + 1}`, ranks[rank - 1]]] : [])));

  beforeAll(async () => {
    await server.seed({
      'secret/shared': keysOf(5),
      'secret/shared/prod': keysOf(6),
      'secret/app': keysOf(7),
      'secret/app/prod': keysOf(8),
      'secret/first': keysOf(9),
      'secret/second': keysOf(10),
      'secret/env': { '.env': '.env', 'process.env': 'process.env', 'config.load': 'config.load' },
    });
  });

  it.each([
    ['vault', [...RANKS]],
    // What the environment sets wins; what it does not set is in the same order as ever.
    ['env', ['default of get()', '.env', ...Array<string>(8).fill('process.env')]],
  ] as const)('%s', async (precedence, expected) => {
    for (const references of [false, true]) {
      // A reference stands where the text stands that it replaces.
      const value = (rank: string) => (references ? `vault:secret/env#${rank}` : rank);
      const lines = Object.keys(keysOf(2)).map((key) => `${key}=${value('.env')}`);
      await writeFile('.env', lines.join('\n'));
      for (const key of Object.keys(keysOf(3))) process.env[key] = value('process.env');
      const app = await start({
        precedence,
        load: [() => Object.fromEntries(Object.keys(keysOf(4)).map((key) => [key, value('config.load')]))],
        layout: { application: 'app', shared: 'shared', profiles: ['prod'] },
        sources: ['first', 'second'],
      });
      const config = app.get(ConfigService);
      const found = RANKS.map((_, index) => config.get<string>(`K${index + 1}`, 'default of get()'));
      expect(found).toEqual(expected);
      await app.close();
      process.env = { ...environment };
    }
  });

  it.each([
    ['vault', 'at boot', [...RANKS_OF_PLACE]],
    ['vault', 'later', [...RANKS_OF_PLACE]],
    // Variables are for the values of Vault; a factory gives way only to one that is called exactly like its key.
    ['env', 'at boot', ['default of get()', 'config.load', ...Array<string>(3).fill('process.env')]],
    ['env', 'later', ['default of get()', 'config.load', ...Array<string>(3).fill('process.env')]],
  ] as const)('%s, with a namespace that only a feature names, which comes %s', async (precedence, when, expected) => {
    const keys = (rank: number) => keysOf(rank, RANKS_OF_PLACE);
    await server.seed({ 'secret/place-1': keys(3), 'secret/place-2': keys(4), 'secret/place-3': keys(5) });
    const feature = () => {
      @Module({ imports: [VaultModule.forFeature(vaultConfig('place', { secretPath: 'place-3' }))] })
      class FeatureModule {}
      return FeatureModule;
    };
    if (precedence === 'env') for (const key of Object.keys(keys(2))) process.env[`PLACE_${key}`] = 'process.env';
    const app = await start(
      {
        precedence,
        load: [registerAs('place', () => keys(2))],
        sources: ['place-1', 'place-2'].map((secretPath) => ({ secretPath, as: 'place' })),
        aliases: 'SCREAMING_CASE',
      },
      {},
      when === 'at boot' ? [feature()] : [],
    );
    if (when === 'later') await app.get(LazyModuleLoader).load(feature);
    const config = app.get(ConfigService);
    expect(RANKS_OF_PLACE.map((_, index) => config.get<string>(`place.K${index + 1}`, 'default of get()'))).toEqual(expected); // prettier-ignore
    expect(config.get('PLACE_K5')).toBe(expected[4]);
    const { overrides } = app.get(VaultService).explain('place.K5') ?? {};
    const below = precedence === 'env' ? ['place-3'] : [];
    expect(overrides?.map(({ secretPath }) => secretPath)).toEqual([...below, 'place-2', 'place-1', undefined]);
  });

  it('a namespace and a source of the same place: the later one in the list', async () => {
    const database = vaultConfig('database', { secretPath: 'first' });
    const source = { secretPath: 'second', as: 'database' };
    const first = (await start({ sources: [source, database] })).get(ConfigService);
    expect([first.get('database.K10'), first.get('database.K9')]).toEqual(['sources: first', 'sources: first']);
    const second = (await start({ sources: [database, source] })).get(ConfigService);
    expect([second.get('database.K10'), second.get('database.K9')]).toEqual(['sources: second', 'sources: first']);
  });
});

describe('precedence: env', () => {
  beforeAll(() =>
    server.seed({
      'secret/db': { password: 'vault', maxPoolSize: 10, tls: { caFile: 'vault', deep: [1] } },
      'secret/flat': { PORT: 1, TOKEN: 'vault', REFERRED: 'vault' },
    }),
  );

  it('a variable wins by its name or its name in capitals, nested ones in place, schemas see it', async () => {
    await writeFile('.env', 'DATABASE_TLS_CA_FILE=dotenv\nONLY_IN_FILE=x\nTOKEN=dotenv');
    Object.assign(process.env, { DATABASE_MAX_POOL_SIZE: '20', PORT: '2', REFERRED: 'vault:secret/db#password' });
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) => ({
          value: { ...(value as object), PORT: Number((value as { PORT: string }).PORT) },
        }),
      },
    } as const;
    const config: VaultConfigOptions = {
      precedence: 'env',
      sources: ['flat', { secretPath: 'db', as: 'database' }],
    };
    const app = await start({ ...config, schema }, { ignoreEnvFile: true });
    const service = app.get(ConfigService);
    expect(service.get('database')).toEqual({
      password: 'vault',
      maxPoolSize: '20',
      tls: { caFile: 'dotenv', deep: [1] },
    });
    // Coerced by the schema; from a file that this ConfigModule does not read; a reference in the environment.
    expect([service.get('PORT'), service.get('TOKEN'), service.get('REFERRED')]).toEqual([2, 'dotenv', 'vault']);
    expect(app.get(VaultService).explain('database.maxPoolSize')).toMatchObject({
      variable: 'DATABASE_MAX_POOL_SIZE',
      overrides: [{ secretPath: 'db' }],
    });
    expect(app.get(VaultService).explain('database.password')).not.toHaveProperty('variable');
    // Without a schema, ConfigService finds the variable itself, with what ConfigModule's validation made of it.
    const validate = (env: Record<string, unknown>) => ({ ...env, PORT: Number(env['PORT']) + 1 });
    expect((await start(config, { validate })).get(ConfigService).get('PORT')).toBe(3);
    // By default, Vault wins.
    expect((await start({ sources: ['flat'] })).get(ConfigService).get('PORT')).toBe(1);
  });
});

describe('explain', () => {
  const explained = (app: INestApplicationContext, key: string) => {
    const { variable, secretPath, overrides = [] } = app.get(VaultService).explain(key) ?? {};
    return [variable ?? secretPath, ...overrides.map((other) => other.variable ?? other.secretPath)];
  };

  it.each([[['dotted', 'inner']], [['inner', 'dotted']]])(
    'tells of a key with dots as ConfigService finds it: %j',
    async (paths) => {
      await server.seed({
        'secret/dotted': { 'a.b': 'dotted' },
        'secret/inner': { a: { b: 'inner', c: 'inner' }, 'x.y': 'inner' },
      });
      const app = await start({ sources: [...paths, { secretPath: 'inner', as: 'in' }] });
      for (const key of ['a.b', 'a.c']) expect(app.get(ConfigService).get(key)).toBe(explained(app, key)[0]);
      expect(explained(app, 'in.x.y')).toEqual(['inner']);
    },
  );

  it('tells what an object hides and what hides a part of one', async () => {
    await server.seed({ 'secret/object': { o: { x: 1, y: 1 } }, 'secret/parts': { x: 2 } });
    const parts = { secretPath: 'parts', as: 'o' };
    const over = await start({ sources: ['object', parts] });
    expect(['o.x', 'o.y'].map((key) => explained(over, key))).toEqual([['parts', 'object'], ['object']]);
    expect(explained(await start({ sources: [parts, 'object'] }), 'o')).toEqual(['object', 'parts']);
  });

  it('tells of variables that win, whole and inside of objects, under every name', async () => {
    await server.seed({
      'secret/flat': { PORT: 1 },
      'secret/object': { o: { x: 1, y: { z: 1 } } },
      'secret/parts': { w: 1 },
    });
    Object.assign(process.env, { PORT: '2', O_Y_Z: '2' });
    const sources = ['flat', 'object'];
    const app = await start({ precedence: 'env', aliases: 'SCREAMING_CASE', sources });
    expect(explained(app, 'PORT')).toEqual(['PORT', 'flat']);
    expect(['o.x', 'o.y.z', 'O_X', 'O_Y_Z'].map((key) => explained(app, key))).toEqual([
      ['object'],
      ['O_Y_Z', 'object'],
      ['object'],
      ['O_Y_Z', 'object'],
    ]);
    const apart = await start({ precedence: 'env', sources: [...sources, { secretPath: 'parts', as: 'o' }] });
    expect(explained(apart, 'o.y.z')).toEqual(['O_Y_Z', 'object']);
    expect(apart.get(ConfigService).get('o')).toEqual({ x: 1, y: { z: '2' }, w: 1 });
  });

  it('tells of no secret where there is none, and of no key that is none', async () => {
    await server.seed({ 'secret/flat': { PORT: 1 } });
    process.env['PORT'] = '2';
    const vault = (await start({ precedence: 'env', sources: ['flat'] })).get(VaultService);
    const version = { version: expect.any(Number), createdTime: expect.any(String), loadedAt: expect.any(Date) };
    const hidden = { key: 'PORT', mountPath: 'secret', secretPath: 'flat', ...version };
    expect(vault.explain('PORT')).toStrictEqual({ key: 'PORT', variable: 'PORT', overrides: [hidden] });
    for (const key of [null, 1, ['PORT']] as unknown as string[]) {
      expect(() => vault.explain(key)).toThrow(VaultInvalidOptionError);
      expect(() => vault.origins(key)).toThrow(VaultInvalidOptionError);
    }
  });
});

describe('ConfigModule.forRoot({ load })', () => {
  it('gives way where it makes the same key at once, whichever module is imported first', async () => {
    await server.seed({ 'secret/flat': { TOKEN: 'vault' }, 'secret/db': { password: 'vault' } });
    const load = [() => ({ TOKEN: 'loaded', database: { password: 'loaded' }, OWN: 'loaded' })];
    const vault = () =>
      VaultModule.forRoot({
        endpoint: server.endpoint,
        auth: { method: 'token', token: server.rootToken },
        config: { sources: ['flat', { secretPath: 'db', as: 'database' }] },
      });
    const modules = () => [ConfigModule.forRoot({ isGlobal: true, load }), vault()];
    for (const imports of [modules(), modules().reverse()]) {
      @Module({ imports })
      class AppModule {}
      const app = await bootApplication(AppModule);
      open.push(app);
      const config = app.get(ConfigService);
      expect(['TOKEN', 'database.password', 'OWN'].map((key) => config.get<string>(key))).toEqual([
        'vault',
        'vault',
        'loaded',
      ]);
    }
  });
});

describe('aliases', () => {
  it('give every value its name in capitals, and hide nothing that is really there', async () => {
    await server.seed({
      'secret/aliased': { maxPoolSize: 7, tls: { caFile: 'ca' }, HOST_NAME: 'real', hostName: 'alias' },
    });
    const source = {
      secretPath: 'aliased',
      as: 'db',
      keys: ['maxPoolSize', 'tls'],
      aliases: 'SCREAMING_CASE' as const,
    };
    const app = await start({ sources: [source, { secretPath: 'aliased', keys: ['maxPoolSize'] }] });
    const config = app.get(ConfigService);
    const all = ['DB_MAX_POOL_SIZE', 'db.maxPoolSize', 'DB_TLS_CA_FILE', 'MAX_POOL_SIZE'];
    expect(all.map((key) => config.get<unknown>(key))).toEqual([7, 7, 'ca', undefined]);
    expect(app.get(VaultService).explain('DB_MAX_POOL_SIZE')).toMatchObject({ secretPath: 'aliased' });
    const whole = await start({ aliases: 'SCREAMING_CASE', sources: ['aliased'] });
    expect(['MAX_POOL_SIZE', 'HOST_NAME'].map((key) => whole.get(ConfigService).get<unknown>(key))).toEqual([
      7,
      'real',
    ]);
    // And stay current.
    await server.seed({ 'secret/aliased': { maxPoolSize: 8 } });
    await whole.get(VaultService).refresh();
    expect(whole.get(ConfigService).get('MAX_POOL_SIZE')).toBe(8);
  });
});

describe('two values with one alias', () => {
  it('stop the boot when they differ, with both names and without values', async () => {
    await server.seed({
      'secret/aliased': { db: { replicaPassword: 'one-value' } },
      'secret/replica': { dbReplica: { password: 'other-value' } },
    });
    const outcome: unknown = await start({ aliases: 'SCREAMING_CASE', sources: ['aliased', 'replica'] }).catch(
      (error: unknown) => error,
    );
    expect(outcome).toMatchObject({
      code: 'VAULT_CONFIGURATION',
      errors: [{ code: 'VAULT_INVALID_OPTION' }],
      message: expect.stringMatching(/"db.replicaPassword" and "dbReplica.password".*"DB_REPLICA_PASSWORD"/) as unknown,
    });
    expect(String(outcome)).not.toMatch(/one-value|other-value/);
  });

  it('boot when they are the same, and a refresh that makes them differ keeps what was there', async () => {
    await server.seed({ 'secret/aliased': { maxPool: 1, max_pool: 1 } });
    const app = await start({ aliases: 'SCREAMING_CASE', sources: ['aliased'] });
    await server.seed({ 'secret/aliased': { maxPool: 1, max_pool: 2 } });
    const { change, problems } = await app.get(VaultService).refresh();
    expect([change, problems.length]).toEqual([undefined, 1]);
    expect(['MAX_POOL', 'max_pool'].map((key) => app.get(ConfigService).get<unknown>(key))).toEqual([1, 1]);
  });
});

describe('a hostile secret', () => {
  it.each([1, 2, 3])('of odd names, and as many as the server takes, comes through unharmed (%i)', async (version) => {
    const odd = { 'a.b': 1, 'a[0]': 2, '': 3, 'a b\n': 4, toString: 5, __defineGetter__: 6, 'x\u0000y': 7, '💥': 8 };
    const many = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`db.key_${i}`, `${version}-${i}`]));
    await server.seed({ 'secret/odd': odd, 'secret/many': many, 'secret/big': { pem: 'x'.repeat(900_000) } });
    const app = await start({
      aliases: 'SCREAMING_CASE',
      precedence: version === 2 ? 'env' : 'vault',
      references: { inSecrets: version === 3 },
      sources: [{ secretPath: 'odd', as: 'odd' }, { secretPath: 'many', prefix: 'P_', nest: '_' }, 'big'],
    });
    const config = app.get(ConfigService);
    expect(config.get('odd')).toEqual(odd);
    expect(config.get(['p', 'db.key', '399'] as never)).toBe(`${version}-399`);
    expect(config.get<string>('pem')).toHaveLength(900_000);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it('with a NUL in a key does not pass for another place', async () => {
    await server.seed({ 'secret/db': { a: { b: 1 }, 'x\0=': 2 }, 'secret/nul': { 'db\0a': 3, 'db\0.a': 4, 'x\0': 5 } });
    const app = await start({ sources: [{ secretPath: 'db', as: 'db' }, 'nul'] });
    const config = app.get(ConfigService);
    expect(config.get('db')).toEqual({ a: { b: 1 }, 'x\0=': 2 });
    expect(['db\0a', 'db\0.a', 'x\0'].map((key) => config.get<number>(key))).toEqual([3, 4, 5]);
  });

  it('with a reserved name at any depth is refused', async () => {
    await server.seed({ 'secret/proto': { a: [JSON.parse('{"b":{"__proto__":{"polluted":1}}}')] } });
    await expect(start({ sources: ['proto'] })).rejects.toThrow(/"__proto__", which no configuration may have/);
  });
});

describe('ConfigModule beside it', () => {
  it('its own load with other keys of the same namespace', async () => {
    await server.seed({ 'secret/mail': { password: 'vault' } });
    const app = await start(
      { sources: [{ secretPath: 'mail', as: 'mail' }] },
      { load: [registerAs('other', () => ({ host: 'load' }))] },
    );
    expect([app.get(ConfigService).get('mail.password'), app.get(ConfigService).get('other.host')]).toEqual([
      'vault',
      'load',
    ]);
  });
});
