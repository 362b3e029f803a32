import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { VaultConfigOptions } from '../../lib/index.js';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';

let server: VaultServer;
const open: INestApplicationContext[] = [];
const environment = { ...process.env };

beforeAll(async () => {
  server = await startVaultServer();
  await server.seed({
    'secret/application': { LEVEL: 'shared', ONLY_SHARED: 1 },
    'secret/application/production': { LEVEL: 'shared-production', TIER: 'shared-production' },
    'secret/my-app': { LEVEL: 'app', TIER: 'app', NAME: 'my-app' },
    'secret/my-app/production': { LEVEL: 'app-production' },
    'secret/my-app/eu': { LEVEL: 'app-eu', REGION: 'eu' },
    'secret/my-app-eu': { REGION: 'dash' },
    'secret/db': { username: 'app', password: 'hunter2', 'x.y': 'dotted' },
    'secret/flat': { DB__MAX_POOL: 7, DB__HOST: 'db', odd__: 1 },
    'secret/halves': { to__: 1 },
    'secret/denied/production': { LEVEL: 'never' },
  });
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('PUT', 'sys/policies/acl/app', {
    policy: 'path "secret/data/denied" { capabilities = ["read"] }',
  });
  await server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_policies: ['app'] });
});
afterAll(() => server.stop());
afterEach(async () => {
  process.env = { ...environment };
  await Promise.all(open.splice(0).map((app) => app.close()));
});

async function start(config: VaultConfigOptions, auth?: 'app'): Promise<INestApplicationContext> {
  @Module({
    imports: [
      VaultModule.forRoot({
        endpoint: server.endpoint,
        auth: auth
          ? { method: 'userpass', username: 'app', password: 'pw-of-app' }
          : { method: 'token', token: server.rootToken },
        config,
      }),
    ],
  })
  class AppModule {}
  const app = await bootApplication(AppModule);
  open.push(app);
  return app;
}

async function values(config: VaultConfigOptions, ...keys: string[]): Promise<unknown[]> {
  const service = (await start(config)).get(ConfigService);
  return keys.map((key) => service.get<unknown>(key));
}

async function failure(config: VaultConfigOptions, auth?: 'app'): Promise<Error & { code: string }> {
  return start(config, auth).then(
    () => {
      throw new Error('It booted.');
    },
    (error: Error & { code: string }) => error,
  );
}

describe('a secret that cannot be read', () => {
  it('is one failure of all sources and references that need it', async () => {
    const error = await failure({
      sources: ['gone', { secretPath: 'gone', as: 'x' }, vaultConfig('y', { secretPath: 'gone' })],
      load: [() => ({ A: 'vault:secret/gone#K', B: 'vault:secret/gone#L' })],
    });
    expect(error).toMatchObject({ errors: [{ code: 'VAULT_NOT_FOUND' }] });
    expect(error.message).toContain('Needed by a source and 2 values: ');
    expect(error.message.match(/bao kv put/g)).toHaveLength(1);
  });

  it('is one failure of several sources', async () => {
    const error = await failure({ sources: ['gone', { secretPath: 'gone', as: 'x' }] });
    expect(error).toMatchObject({ errors: [{ code: 'VAULT_NOT_FOUND' }] });
  });
});

describe('layout', () => {
  it('goes from shared to application and from no profile to the last one; absent paths are skipped', async () => {
    const layout = { application: 'my-app', profiles: ['production', 'absent', 'eu'] };
    const keys = ['LEVEL', 'TIER', 'ONLY_SHARED', 'REGION', 'NAME'];
    expect(await values({ layout }, ...keys)).toEqual(['app-eu', 'app', 1, 'eu', 'my-app']);
    expect(await values({ layout: { ...layout, profiles: 'eu, production' } }, 'LEVEL')).toEqual(['app-production']);
    expect(await values({ layout: { ...layout, shared: false } }, 'LEVEL', 'ONLY_SHARED')).toEqual([
      'app-eu',
      undefined,
    ]);
    expect(await values({ layout: { application: 'my-app', profiles: 'eu', separator: '-' } }, 'REGION')).toEqual([
      'dash',
    ]);
  });

  it('is weaker than sources, and tells what it hid', async () => {
    const app = await start({ layout: { application: 'my-app' }, sources: ['my-app/eu'] });
    expect(app.get(ConfigService).get('LEVEL')).toBe('app-eu');
    expect(
      app
        .get(VaultService)
        .explain('LEVEL')
        ?.overrides.map(({ secretPath }) => secretPath),
    ).toEqual(['my-app', 'application']);
  });

  it('tells where all values below a container came from', async () => {
    const sources = [{ secretPath: 'db', as: 'database' }, { secretPath: 'flat', as: 'database2' }, 'db'];
    const vault = (await start({ sources })).get(VaultService);
    expect(vault.explain('database')).toBeUndefined();
    const keys = (key?: string) => vault.origins(key).map((origin) => origin.key);
    expect(keys('database')).toEqual(['database.password', 'database.username', 'database.x.y']);
    expect(keys('database.x')).toEqual(['database.x.y']);
    expect(keys('database.password')).toEqual(['database.password']);
    expect(keys('data')).toEqual([]);
    expect(keys()).toHaveLength(9);
  });

  it('takes its names from the environment', async () => {
    process.env['APP'] = 'my-app';
    process.env['PROFILES'] = 'production,eu';
    const layout = { application: '${APP}', profiles: '${PROFILES}', mountPath: '${KV:-secret}' };
    expect(await values({ layout }, 'LEVEL')).toEqual(['app-eu']);
    delete process.env['PROFILES'];
    expect((await failure({ layout })).message).toMatch(/"config\.layout\.profiles".*variable PROFILES.*not set/);
    expect(await values({ layout: { ...layout, profiles: '${PROFILES:-}' } }, 'LEVEL')).toEqual(['app']);
  });

  it.each(['eu/../production', 'eu/x', '..', '.', 'a\nb'])(
    'refuses the profile %j of the environment',
    async (profile) => {
      process.env['PROFILE'] = profile;
      expect(await failure({ layout: { application: 'my-app', profiles: '${PROFILE}' } })).toMatchObject({
        code: 'VAULT_INVALID_PATH',
      });
    },
  );

  it('is an error when denied, and when nothing is there at all', async () => {
    const denied = await failure({ layout: { application: 'denied', profiles: ['production'], shared: false } }, 'app');
    expect(denied.message).toContain('path "secret/data/denied/production" { capabilities = ["read"] }');
    const layout = { application: 'nobody', shared: false as const };
    expect((await failure({ layout })).message).toMatch(/"config\.layout" found none of its secrets: secret\/nobody\./);
    expect(await values({ layout: { ...layout, optional: true } }, 'LEVEL')).toEqual([undefined]);
  });
});

describe('templates in a source', () => {
  it('are filled in once; a value is checked like the option itself', async () => {
    process.env['TEAM_PATH'] = 'my-app/eu';
    expect(await values({ sources: ['${TEAM_PATH}'] }, 'REGION')).toEqual(['eu']);
    process.env['TEAM_PATH'] = '../../sys';
    expect(await failure({ sources: ['${TEAM_PATH}'] })).toMatchObject({ code: 'VAULT_INVALID_PATH' });
    process.env['TEAM_PATH'] = '${HOME}';
    expect((await failure({ sources: ['${TEAM_PATH}'] })).message).toContain('${HOME}');
    expect(await failure({ sources: ['${not a name}'] })).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
  });
});

describe('names of keys', () => {
  it('prefix, map, and a function', async () => {
    const secretPath = 'db';
    const prefixed = { secretPath, prefix: 'DB_', map: { password: 'DB_PASSWORD' }, keys: ['username'] };
    expect(await values({ sources: [prefixed] }, 'DB_username', 'DB_PASSWORD', 'password', 'x.y')).toEqual([
      'app',
      'hunter2',
      undefined,
      undefined,
    ]);
    const map = (key: string) => (key === 'x.y' ? undefined : `creds.${key}`);
    expect(await values({ sources: [{ secretPath, as: 'database', map }] }, 'database')).toEqual([
      { creds: { username: 'app', password: 'hunter2' } },
    ]);
  });

  it('nest splits flat names', async () => {
    expect(await values({ sources: [{ secretPath: 'flat', nest: '__' }] }, 'db', 'odd__')).toEqual([
      { maxPool: 7, host: 'db' },
      1,
    ]);
  });

  it.each<[string, VaultConfigOptions['sources'], RegExp]>([
    ['a key that is not there', [{ secretPath: 'db', map: { pasword: 'P' } }], /no key "pasword".*"map"/],
    ['two keys for one place', [{ secretPath: 'db', map: () => 'X' }], /"password" and "username" both lead to "X"/],
    ['a place inside another', [{ secretPath: 'db', map: { username: 'a', password: 'a.b' } }], /both lead to "a"/],
    ['a reserved name', [{ secretPath: 'db', map: () => '__proto__' }], /"map" gives no usable name/],
    [
      'a reserved name made of two halves',
      [{ secretPath: 'halves', prefix: '__pro' }],
      /a name that no configuration may have/,
    ],
    [
      'a function that throws',
      [
        {
          secretPath: 'db',
          map: (): string => {
            throw new Error('SECRET');
          },
        },
      ],
      /no usable name/,
    ],
    ['a function that gives a number', [{ secretPath: 'db', map: (() => 7) as never }], /no usable name/],
  ])('refuses %s', async (_, sources, message) => {
    const error = await failure({ ...(sources && { sources }) });
    expect(error.code).toBe('VAULT_CONFIGURATION');
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('SECRET');
  });
});
