import 'reflect-metadata';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { Logger, Module } from '@nestjs/common';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import { LazyModuleLoader } from '@nestjs/core';
import { z } from 'zod';
import type { VaultConfigChange, VaultModuleOptions } from '../../lib/index.js';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { useAppBench } from '../support/app-bench.js';

type ConfigOptions = NonNullable<VaultModuleOptions['config']>;

const bench = useAppBench();
const lines: string[] = [];
const variables = new Set<string>();

beforeEach(async () => {
  lines.length = 0;
  for (const level of ['log', 'warn'] as const)
    jest.spyOn(Logger.prototype, level).mockImplementation((line: unknown) => void lines.push(String(line)));
  for (const name of ['db', 'jwt', 'flat', 'late']) await bench.server.request('DELETE', `secret/metadata/${name}`);
  await bench.server.seed({
    // Every boot of this process reads what forFeature names.
    'secret/lazy': { key: 'lazy-one' },
    'secret/db': { username: 'app', password: 'pw-one', maxPool: 1 },
    'secret/jwt': { SECRET: 'jwt-one', OTHER: 'other-one' },
    'secret/flat': { API_KEY: 'api-one', GONE: 'gone-one', nested: { a: 'a-one', b: 'b-one' } },
  });
});
afterEach(() => {
  for (const name of variables) Reflect.deleteProperty(process.env, name);
  variables.clear();
});

/** Changes every value. */
async function rotate(): Promise<void> {
  await bench.server.seed({
    'secret/db': { username: 'app2', password: 'pw-two', maxPool: 2 },
    'secret/jwt': { SECRET: 'jwt-two', OTHER: 'other-two' },
    'secret/flat': { API_KEY: 'api-two', NEW: 'new-two', nested: { a: 'a-two', b: 'b-two' } },
  });
}

function setVariable(name: string, value: string): void {
  process.env[name] = value;
  variables.add(name);
}

async function start(config: ConfigOptions) {
  @Module({
    imports: [
      ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, cache: true }),
      VaultModule.forRoot({
        endpoint: bench.server.endpoint,
        auth: { method: 'token', token: bench.server.rootToken },
        config,
      }),
    ],
  })
  class AppModule {}
  const app: INestApplicationContext = await bench.boot(AppModule);
  const [vault, service] = [app.get(VaultService), app.get(ConfigService)];
  const get = (...keys: string[]) => keys.map((key) => service.get<unknown>(key));
  return { app, vault, config: service, get };
}

describe('refresh.keys', () => {
  it('changes these keys and keeps everything else, in every view of the configuration', async () => {
    const { vault, config, get } = await start({
      sources: ['flat', { secretPath: 'db', as: 'database', files: ['password', 'username'] }],
      aliases: 'SCREAMING_CASE',
      exportToProcessEnv: ['database.password', 'API_KEY', 'database.username'],
      refresh: { keys: ['database.password', 'nested.b'] },
    });
    const told: string[] = [];
    const changes: VaultConfigChange[] = [];
    config.changes$.subscribe(({ path }) => told.push(path));
    vault.changes$.subscribe((change) => changes.push(change));
    await rotate();

    const { change, problems, notRefreshed } = await vault.refresh();

    expect(problems).toEqual([]);
    const changed = ['DATABASE_PASSWORD', 'NESTED_B', 'database.password', 'nested.b'];
    expect([...(change?.keys ?? [])].sort()).toEqual(changed);
    expect(change?.removed).toBeUndefined();
    expect(told.sort()).toEqual(changed);
    expect(changes).toEqual([change]);
    expect(get('database.password', 'DATABASE_PASSWORD', 'nested.b', 'NESTED_B')).toEqual([
      ...['pw-two', 'pw-two', 'b-two', 'b-two'],
    ]);
    expect(get('database.username', 'DATABASE_USERNAME', 'API_KEY', 'GONE', 'NEW', 'nested.a', 'NESTED_A')).toEqual([
      ...['app', 'app', 'api-one', 'gone-one', undefined, 'a-one', 'a-one'],
    ]);
    expect(get('nested', 'database.maxPool')).toEqual([{ a: 'a-one', b: 'b-two' }, 1]);
    expect([process.env['DATABASE_PASSWORD'], process.env['API_KEY'], process.env['DATABASE_USERNAME']]).toEqual([
      ...['pw-two', 'api-one', 'app'],
    ]);
    const files = get('database.password_FILE', 'database.username_FILE') as string[];
    expect(await Promise.all(files.map((file) => readFile(file, 'utf8')))).toEqual(['pw-two', 'app']);
    expect(['database.password', 'nested.b', 'database.username', 'API_KEY', 'nested.a'].map((key) => vault.explain(key)?.version)) // prettier-ignore
      .toEqual([2, 2, 1, 1, 1]);
    expect([...(notRefreshed ?? [])].sort()).toEqual([
      ...['API_KEY', 'GONE', 'NEW', 'database.maxPool', 'database.username', 'database.username_FILE', 'nested.a'],
    ]);
  });

  it('logs once for each version what it has not refreshed, by key', async () => {
    const { vault, get } = await start({ sources: ['flat', 'jwt'], refresh: { keys: ['SECRET'] } });
    const told = () => lines.filter((line) => line.startsWith('Not refreshed'));
    await rotate();
    await vault.refresh();
    await vault.refresh();
    expect(told()).toHaveLength(1);
    for (const key of ['API_KEY', 'GONE', 'NEW', 'OTHER', 'nested']) expect(told()[0]).toContain(key);
    // Another value changes: what was told is not told again.
    await bench.server.seed({ 'secret/jwt': { SECRET: 'jwt-three', OTHER: 'other-two' } });
    expect((await vault.refresh()).notRefreshed).toBeUndefined();
    await bench.server.seed({ 'secret/flat': { API_KEY: 'api-three', NEW: 'new-two', nested: { a: 'a-two', b: 'b-two' } } }); // prettier-ignore
    expect((await vault.refresh()).notRefreshed).toEqual(['API_KEY']);
    expect(told()).toHaveLength(2);
    expect(get('SECRET', 'API_KEY', 'OTHER')).toEqual(['jwt-three', 'api-one', 'other-one']);
    expect(lines.join('\n')).not.toMatch(/-(one|two|three)/);
  });

  it('covers namespaces, with what their schemas make', async () => {
    const schema = z.object({ username: z.string(), password: z.string().transform((text) => `<${text}>`) });
    const [database, jwt] = [vaultConfig('database', { secretPath: 'db', schema }), vaultConfig('jwt', { secretPath: 'jwt' })]; // prettier-ignore
    const { app, vault } = await start({ sources: [database, jwt], refresh: { keys: ['database'] } });
    const objects = [app.get<object>(database.KEY), app.get<object>(jwt.KEY)];
    await rotate();
    await vault.refresh();
    expect(objects).toEqual([
      { username: 'app2', password: '<pw-two>' },
      { SECRET: 'jwt-one', OTHER: 'other-one' },
    ]);
    expect(database()).toBe(objects[0]);
    expect(jwt()).toBe(objects[1]);
  });

  it.each<[string, string[], unknown[]]>([
    ['the variable', ['REFRESH_PW'], ['pw-two', 'pw-one', 'jwt-one', 'jwt-one']],
    ['what a factory makes of it', ['made.password'], ['pw-one', 'pw-two', 'jwt-one', 'jwt-one']],
    ['a reference in a factory', ['made.jwt'], ['pw-one', 'pw-one', 'jwt-two', 'jwt-one']],
    ['another variable', ['REFRESH_JWT'], ['pw-one', 'pw-one', 'jwt-one', 'jwt-two']],
  ])('applies to references: %s', async (_what, keys, expected) => {
    setVariable('REFRESH_PW', 'vault:secret/data/db#password');
    setVariable('REFRESH_JWT', 'vault:secret/data/jwt#SECRET');
    const made = registerAs('made', () => ({
      password: process.env['REFRESH_PW'],
      jwt: 'vault:secret/data/jwt#SECRET',
    }));
    const { vault, get } = await start({ load: [made], exportToProcessEnv: 'references', refresh: { keys } });
    expect(get('REFRESH_PW', 'made.password', 'made.jwt', 'REFRESH_JWT')).toEqual([
      ...['pw-one', 'pw-one', 'jwt-one', 'jwt-one'],
    ]);
    await rotate();
    await vault.refresh();
    expect(get('REFRESH_PW', 'made.password', 'made.jwt', 'REFRESH_JWT')).toEqual(expected);
    expect([process.env['REFRESH_PW'], process.env['REFRESH_JWT']]).toEqual([expected[0], expected[3]]);
  });

  it.each([
    ['the value', 'database.password'],
    ['its alias', 'DATABASE_PASSWORD'],
    ['the container', 'database'],
  ])('takes a value by any of its names: %s', async (_what, key) => {
    const sources = [{ secretPath: 'db', as: 'database', aliases: 'SCREAMING_CASE' as const }];
    const { vault, get } = await start({ sources, refresh: { keys: [key] } });
    await rotate();
    await vault.refresh();
    expect(get('database.password', 'DATABASE_PASSWORD')).toEqual(['pw-two', 'pw-two']);
    expect(get('database.username')).toEqual([key === 'database' ? 'app2' : 'app']);
    expect(lines.filter((line) => line.includes('refresh.keys'))).toEqual([]);
  });

  it.each(['database.password', 'DATABASE_PASSWORD'])(
    'takes a value and the variable that overrides it together: %s',
    async (key) => {
      setVariable('DATABASE_PASSWORD', 'vault:secret/data/jwt#SECRET');
      const sources = [{ secretPath: 'db', as: 'database' }, 'flat'];
      const { vault, get } = await start({ sources, precedence: 'env', refresh: { keys: [key] } });
      expect(get('database.password', 'DATABASE_PASSWORD')).toEqual(['jwt-one', 'jwt-one']);
      await rotate();
      await vault.refresh();
      expect(get('database.password', 'DATABASE_PASSWORD', 'API_KEY')).toEqual(['jwt-two', 'jwt-two', 'api-one']);
    },
  );

  it('takes in a secret that appears later, and takes a removed key away, where they are listed', async () => {
    const sources = ['flat', 'jwt', { secretPath: 'late', as: 'late', optional: true }];
    const { vault, get } = await start({ sources, refresh: { keys: ['late', 'GONE'] } });
    expect(lines.filter((line) => line.includes('refresh.keys'))).toEqual([expect.stringContaining('"late"')]);
    await rotate();
    await bench.server.seed({ 'secret/late': { on: 'yes' } });
    const { change } = await vault.refresh();
    expect(change).toMatchObject({ removed: ['GONE'] });
    expect(lines.filter((line) => line.startsWith('Removed: GONE'))).toHaveLength(1);
    expect(get('late.on', 'GONE', 'NEW')).toEqual(['yes', undefined, undefined]);
  });

  it('holds for the values of a module that is loaded later, from then on', async () => {
    const lazy = vaultConfig('lazy', { secretPath: 'lazy' });
    const [app, feature] = [await start({ sources: ['jwt'], refresh: { keys: ['SECRET'] } }), VaultModule.forFeature(lazy)]; // prettier-ignore
    @Module({ imports: [feature] })
    class LazyModule {}
    await rotate();
    await bench.server.seed({ 'secret/lazy': { key: 'lazy-two' } });
    await app.app.get(LazyModuleLoader).load(() => LazyModule);
    expect(app.get('lazy.key', 'OTHER')).toEqual(['lazy-two', 'other-one']);
    await bench.server.seed({ 'secret/lazy': { key: 'lazy-three' } });
    await app.vault.refresh();
    expect(app.get('lazy.key', 'SECRET', 'OTHER')).toEqual(['lazy-two', 'jwt-two', 'other-one']);
  });

  it('warns of a key that the configuration does not have', async () => {
    await start({ sources: ['jwt'], refresh: { keys: ['SECRET', 'SECRTE', 'OTHER.part'], intervalMs: 60_000 } });
    const [warning] = lines.filter((line) => line.includes('refresh.keys'));
    expect(warning).toContain('"SECRTE"');
    expect(warning).toContain('"OTHER.part"');
    expect(warning).not.toContain('"SECRET"');
  });

  it.each<[unknown]>([
    [[]],
    [['']],
    ['database'],
    [[7]],
    [[null]],
    [{}],
    [true],
    [['a..b']],
    [['.a']],
    [['__proto__']],
    [['a.constructor']],
  ])('refuses %j', async (keys) => {
    await expect(start({ sources: ['jwt'], refresh: { keys: keys as never, sighup: true } })).rejects.toMatchObject({
      code: 'VAULT_INVALID_OPTION',
      message: expect.stringContaining('config.refresh.keys') as unknown,
    });
  });
});

describe('a source with refresh: false', () => {
  it('keeps its values in every view, beside others that change', async () => {
    const sources = [
      { secretPath: 'jwt', refresh: false, aliases: 'SCREAMING_CASE' as const, as: 'jwt', files: ['SECRET'] },
      'flat',
      { secretPath: 'jwt', as: 'again' },
    ];
    const { vault, get } = await start({ sources, exportToProcessEnv: ['jwt.SECRET'] });
    await rotate();
    const { change, problems, notRefreshed } = await vault.refresh();
    expect(problems).toEqual([]);
    expect(get('jwt.SECRET', 'JWT_SECRET', 'jwt.OTHER', 'again.SECRET', 'API_KEY')).toEqual([
      ...['jwt-one', 'jwt-one', 'other-one', 'jwt-two', 'api-two'],
    ]);
    expect(await readFile(get('jwt.SECRET_FILE')[0] as string, 'utf8')).toBe('jwt-one');
    expect(process.env['JWT_SECRET']).toBe('jwt-one');
    expect(vault.explain('jwt.SECRET')).toMatchObject({ version: 1 });
    expect(change?.keys.some((key) => /^jwt|^JWT/.test(key))).toBe(false);
    expect([...(notRefreshed ?? [])].sort()).toEqual(['jwt.OTHER', 'jwt.SECRET']);
    expect((await vault.refresh()).notRefreshed).toBeUndefined();
  });

  it('keeps what its references stood for, and is judged by its schema with the values that are used', async () => {
    await bench.server.seed({ 'secret/late': { url: 'http://${vault:secret/data/db#password}@host' } });
    const schema = z.object({ url: z.string().refine((text) => text.includes('one')) });
    const held = vaultConfig('held', { secretPath: 'late', refresh: false, schema });
    const { vault, get } = await start({ sources: [held, 'jwt'], references: { inSecrets: true } });
    expect(get('held.url')).toEqual(['http://pw-one@host']);
    await rotate();
    await bench.server.seed({ 'secret/late': { url: 'does not fit' } });
    expect((await vault.refresh()).problems).toEqual([]);
    expect(get('held.url', 'SECRET')).toEqual(['http://pw-one@host', 'jwt-two']);
  });

  it('of a module that is loaded later keeps the values of that time, beside another source of the same secret', async () => {
    await bench.server.seed({ 'secret/late': { url: 'http://${vault:secret/data/db#password}@host' } });
    const lazy = vaultConfig('lazyHeld', { secretPath: 'late', refresh: false });
    const sources = [
      { secretPath: 'late', as: 'late' },
      { secretPath: 'jwt', refresh: false },
    ];
    const { app, vault, get } = await start({ sources, references: { inSecrets: true } });
    await rotate();
    @Module({ imports: [VaultModule.forFeature(lazy)] })
    class LazyModule {}
    await app.get(LazyModuleLoader).load(() => LazyModule);
    expect(get('lazyHeld.url', 'SECRET')).toEqual(['http://pw-two@host', 'jwt-one']);
    await bench.server.seed({ 'secret/db': { username: 'app3', password: 'pw-three' } });
    await vault.refresh();
    expect(get('late.url', 'lazyHeld.url', 'SECRET')).toEqual([
      'http://pw-three@host',
      'http://pw-two@host',
      'jwt-one',
    ]);
  });

  it('stays absent where it was absent', async () => {
    const { vault, get } = await start({ sources: ['jwt', { secretPath: 'late', optional: true, refresh: false }] });
    await bench.server.seed({ 'secret/late': { LATE: 'yes' } });
    expect(await vault.refresh()).toMatchObject({ change: undefined, problems: [], notRefreshed: ['LATE'] });
    expect(get('LATE')).toEqual([undefined]);
  });

  it.each([['no'], [0], [null], [{}]])('refuses %j', async (refresh) => {
    await expect(start({ sources: [{ secretPath: 'jwt', refresh: refresh as never }] })).rejects.toMatchObject({
      code: 'VAULT_INVALID_OPTION',
      message: expect.stringContaining('.refresh"') as unknown,
    });
  });
});
