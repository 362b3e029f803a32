import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import { Injectable, Module } from '@nestjs/common';
import type { ConfigModuleOptions } from '@nestjs/config';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import type { VaultConfigOptions } from '../../lib/index.js';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';
import { renderError } from '../support/render-error.js';

let server: VaultServer;
let folder: string;
const open: INestApplicationContext[] = [];
const environment = { ...process.env };
const home = process.cwd();

/** Passes everything on to the server and remembers which secrets were asked for. */
const asked: string[] = [];
const counter = createServer((incoming, outgoing) => {
  const { method = 'GET', url = '', headers } = incoming;
  if (url.includes('/data/')) asked.push(url.slice('/v1/'.length));
  const passed = forward(server.endpoint + url, { method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(outgoing);
  });
  incoming.pipe(passed);
});
let endpoint: string;

beforeAll(async () => {
  server = await startVaultServer();
  await new Promise<void>((resolve) => counter.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(counter.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), 'nestjs-vault-references-'));
  process.chdir(folder);
  await server.seed({ 'secret/my-app/db': { password: 'first' } });
  await server.seed({
    'secret/my-app/db': {
      username: 'app',
      password: 'hunter2',
      port: 5432,
      tls: { ca: 'CA-TEXT' },
      'a.b': 'dotted',
      a: { b: 'nested' },
      list: ['x', 'y'],
      looksLikeOne: 'vault:secret/other#value',
    },
    'secret/other': { value: 'from-other', chain: 'vault:secret/my-app/db#password' },
    'secret/cycle/a': { x: '${vault:secret/cycle/b#y}!' },
    'secret/cycle/b': { y: 'vault:secret/data/cycle/c#z' },
    'secret/cycle/c': { z: ['vault:secret/cycle/a#x'], self: 'vault:secret/cycle/c#self' },
    'secret/hostile': { evil: JSON.parse('{"__proto__":{"polluted":true}}') as object },
    ...Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [
        `secret/laugh/${i}`,
        { ha: `\${vault:secret/laugh/${i + 1}#ha}`.repeat(10), ...(i === 29 && { ha: 'ha'.repeat(100) }) },
      ]),
    ),
  });
  await server.request('POST', 'sys/mounts/team/kv', { type: 'kv', options: { version: '2' } });
});
afterAll(async () => {
  process.chdir(home);
  counter.close();
  counter.closeAllConnections();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});
afterEach(async () => {
  process.env = { ...environment };
  await rm('.env', { force: true });
  await Promise.all(open.splice(0).map((app) => app.close()));
});

@Injectable()
class Consumer {
  readonly password: unknown;
  constructor(config: ConfigService) {
    this.password = config.get('DB_PASSWORD');
  }
}

async function start(
  config: VaultConfigOptions = {},
  options: ConfigModuleOptions = {},
): Promise<INestApplicationContext> {
  @Module({
    imports: [
      ConfigModule.forRoot({ isGlobal: true, ...options }),
      VaultModule.forRoot({ endpoint, auth: { method: 'token', token: server.rootToken }, config }),
    ],
    providers: [Consumer],
  })
  class AppModule {}
  asked.length = 0;
  const app = await bootApplication(AppModule);
  open.push(app);
  return app;
}

const boot = async (...given: Parameters<typeof start>) => (await start(...given)).get(ConfigService);

async function failure(...given: Parameters<typeof start>): Promise<Error> {
  return start(...given).then(
    () => {
      throw new Error('It booted.');
    },
    (error: Error) => error,
  );
}

describe('references in the environment', () => {
  it('stop the boot when a parser of another file has cut them, unless the variable is meant so', async () => {
    process.env['DB_PASSWORD'] = 'vault:secret/data/my-app/db';
    expect((await failure()).message).toContain(
      '1. DB_PASSWORD refers to vault:secret/data/my-app/db, which names no key',
    );
    expect(asked).toEqual([]);
    process.env['DB_PORT'] = 'vault:secret/my-app/db#port';
    const config = await boot({ references: { literal: ['DB_PASSWORD', 'DB_PORT'] } });
    expect(config.get('DB_PASSWORD')).toBe('vault:secret/data/my-app/db');
    expect(config.get('DB_PORT')).toBe('vault:secret/my-app/db#port');
  });

  it('are resolved before the first constructor runs, in .env and process.env, and never written there', async () => {
    await writeFile(
      '.env',
      "DB_PASSWORD=vault:secret/data/my-app/db#password\nDB_URL='pg://${vault:secret/my-app/db#username}:${vault:secret/my-app/db#password}@db'\nPLAIN='vault://not/one#here'\n",
    );
    process.env['DB_PORT'] = 'vault:secret/my-app/db#port';
    process.env['DB_OLD'] = 'vault:secret/my-app/db#password#1';
    process.env['DB_CA'] = 'vault:secret/my-app/db#tls.ca';
    process.env['DB_DOTTED'] = 'vault:secret/my-app/db#a.b';
    const app = await start();
    expect(app.get(Consumer).password).toBe('hunter2');
    const config = app.get(ConfigService);
    expect(
      ['DB_URL', 'DB_PORT', 'DB_OLD', 'DB_CA', 'DB_DOTTED', 'PLAIN'].map((key) => config.get<unknown>(key)),
    ).toEqual(['pg://app:hunter2@db', 5432, 'first', 'CA-TEXT', 'dotted', 'vault://not/one#here']);
    expect(process.env['DB_PORT']).toBe('vault:secret/my-app/db#port');
    expect(JSON.stringify(process.env)).not.toContain('hunter2');
    expect(app.get(VaultService).explain('DB_URL')).toMatchObject({
      secretPath: 'my-app/db',
      version: 2,
      variable: 'DB_URL',
    });
    // Each secret once, however often it is named; a version is a secret of its own.
    expect(asked.sort()).toEqual(['secret/data/my-app/db', 'secret/data/my-app/db?version=1']);
  });

  it('share their reads with sources, and cost none when there are none', async () => {
    process.env['DB_PASSWORD'] = 'vault:secret/my-app/db#password';
    await start({ sources: ['my-app/db'] });
    expect(asked).toEqual(['secret/data/my-app/db']);
    delete process.env['DB_PASSWORD'];
    await start();
    expect(asked).toEqual([]);
  });

  it('stay text when they are switched off, and never start from a value in a secret by themselves', async () => {
    process.env['DB_PASSWORD'] = 'vault:secret/my-app/db#password';
    process.env['TRICK'] = 'vault:secret/my-app/db#looksLikeOne';
    expect((await boot({ references: false })).get('DB_PASSWORD')).toBe('vault:secret/my-app/db#password');
    const config = await boot({ sources: ['my-app/db'] });
    expect(config.get('looksLikeOne')).toBe('vault:secret/other#value');
    expect(config.get('TRICK')).toBe('vault:secret/other#value');
    expect(asked).toEqual(['secret/data/my-app/db']);
  });

  it('take a default for what is absent, and for nothing else', async () => {
    process.env['A'] = 'vault:secret/absent#key?fallback';
    process.env['B'] = 'x${vault:secret/my-app/db#absent?}y';
    const config = await boot();
    expect([config.get('A'), config.get('B')]).toEqual(['fallback', 'xy']);
    await server.seed({ 'secret/gone': { key: 1 } });
    await server.request('DELETE', 'secret/data/gone');
    process.env['A'] = 'vault:secret/gone#key?SECRET-DEFAULT';
    const error = await failure();
    expect(error.message).toMatch(/delet.*Needed by 1 value: A\./);
    expect(renderError(error)).not.toContain('SECRET-DEFAULT');
  });

  it('that cannot be resolved are listed with name, path, key and fix, never with a value', async () => {
    process.env['ONE'] = 'vault:secret/absent#key';
    process.env['TWO'] = '${vault:secret/absent#other}';
    process.env['THREE'] = 'vault:secret/my-app/db#pasword';
    process.env['FOUR'] = 'vault:secret/../sys#x';
    process.env['FIVE'] = 'pg://${vault:secret/my-app/db#tls}';
    process.env['SIX'] = 'vault:secret/hostile#evil';
    process.env['SEVEN'] = 'pg://${vault:secret/my-app/db#password?${vault:secret/my-app/db#username}}@db';
    const error = (await failure()) as Error & { code: string };
    expect(error.code).toBe('VAULT_CONFIGURATION');
    expect(error.message).toMatch(/absent.*default after "\?".*Needed by 2 values: ONE, TWO\./);
    expect(error.message).toMatch(/THREE refers to vault:secret\/my-app\/db#pasword, which does not exist/);
    expect(error.message).toMatch(/FOUR refers to .*could lead to another path/);
    expect(error.message).toMatch(/FIVE refers to vault:secret\/my-app\/db#tls, which is not a text/);
    expect(error.message).toMatch(/SIX refers to .*a name that no configuration may have/);
    expect(error.message).toMatch(/SEVEN refers to vault:secret\/my-app\/db#password, which has braces in its default/);
    expect(renderError(error)).not.toMatch(/hunter2|CA-TEXT/);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it.each([
    [
      'QUOTED',
      '"vault:secret/my-app/db#password"',
      /QUOTED refers to vault:secret\/my-app\/db#password, which has quotes or spaces around it/,
    ],
    ['FROM_FILE', 'vault:secret/my-app/db#password\n', /FROM_FILE refers to .* has quotes or spaces around it/],
    [
      'VERSION',
      'vault:secret/my-app/db#password#v2',
      /VERSION refers to vault:secret\/my-app\/db, which does not follow the notation/,
    ],
    [
      'SPACED',
      'vault:secret/my-app/db#pass word?hunter2',
      /SPACED refers to vault:secret\/my-app\/db, which does not follow/,
    ],
    [
      'CHAINED',
      'vault:secret/absent#x?vault:secret/my-app/db#password',
      /CHAINED refers to vault:secret\/absent#x, which has another reference as its default/,
    ],
    [
      'LATER',
      'vault:secret/my-app/db#password#99',
      /There is no version 99, or no such secret: "bao kv metadata get -mount=secret my-app\/db" lists.*Needed by 1 value: LATER/,
    ],
    [
      'UPWARDS',
      'vault:secret/../sys#x',
      /is not readable: its path "secret\/\.\.\/sys" contains "\.\.", which could lead to another path\. Write the full path\.$/,
    ],
    [
      'SLASHES',
      'vault:no/mount/x#k',
      /at "no" that this token can see: correct the reference, or name a mount that has slashes in "config\.references\.mountPath".*Needed by 1 value: SLASHES/,
    ],
  ])('that can only have been meant as such stop the boot: %s=%j', async (name, text, message) => {
    process.env[name] = text;
    const error = await failure();
    expect(error.message).toMatch(message);
    expect(renderError(error)).not.toContain('hunter2');
    if (!name.startsWith('QUOTED')) return;
    expect((await boot({ references: { literal: [name] } })).get(name)).toBe(text);
  });

  it.each([
    'vault:secret/data/other?changeme',
    'vault:secret/data/other?changeme#value',
    'vault:secret/data/Test Problem#KEY',
    'vault:secret/data/other #value',
    'vault: secret/data/other#value',
    'vault:other#value',
    'vault:secret\\data\\other#value',
    'vault:secret/data/other/value',
    'vault:secret/data/other#value#0',
    'vault:secret/data/other#value#latest',
    'x${vault:secret/data/other#value',
    '${vault:secret/data/Test Problem#KEY}',
    'VAULT:SECRET/DATA/OTHER#VALUE',
    'vault:secret/data/other#${.value | toUpper}',
  ])('of this form stop the boot, in variables and in config.load: %s', async (text) => {
    await server.seed({ 'secret/Test Problem': { KEY: 'v' } });
    const load = [() => ({ smtp: { passwords: [text] } })];
    const inLoad = await failure({ load });
    process.env['DB_PASSWORD'] = text;
    const inVariable = await failure({ load });
    expect([inLoad, inVariable]).toMatchObject(Array(2).fill({ code: 'VAULT_CONFIGURATION' }));
    expect(inLoad.message).toMatch(/1\. "smtp" of config\.load\[0\] refers to /);
    // Factories run once the environment is resolved.
    expect(inVariable.message).toMatch(/1\. DB_PASSWORD refers to /);
    for (const error of [inLoad, inVariable]) expect(renderError(error)).not.toContain('changeme');
    expect((await boot({ references: { literal: ['DB_PASSWORD'] } })).get('DB_PASSWORD')).toBe(text);
    expect(asked).toEqual([]);
  });

  it('take encoded characters, and leave alone what only looks similar', async () => {
    await server.seed({ 'secret/Test Problem': { 'a key': 'v', '100%': 'w' } });
    Object.assign(process.env, {
      ENCODED: '${vault:secret/data/Test%20Problem#a%20key}!',
      PERCENT: 'vault:secret/Test%20Problem#100%25',
      HOST: 'vault:8200',
      CIPHERTEXT: 'vault:v1:cGxhaW4/dGV4dA==',
      npm_lifecycle_event: 'vault:dev',
    });
    const config = await boot();
    expect([config.get('ENCODED'), config.get('PERCENT')]).toEqual(['v!', 'w']);
    expect(config.get('HOST')).toBe('vault:8200');
    expect(config.get('CIPHERTEXT')).toBe('vault:v1:cGxhaW4/dGV4dA==');
    expect(config.get('npm_lifecycle_event')).toBe('vault:dev');
  });

  it('of a version that is gone for good say which other one to take', async () => {
    await server.seed({ 'secret/versions': { k: 1 } });
    await server.seed({ 'secret/versions': { k: 2 } });
    await server.request('POST', 'secret/destroy/versions', { versions: [1] });
    process.env['PINNED'] = 'vault:secret/versions#k#1';
    expect((await failure()).message).toMatch(
      /destroyed.*For another one, correct the number after the second "#".*Needed by 1 value: PINNED/,
    );
    expect((await failure({ references: false, sources: [{ secretPath: 'versions', version: 1 }] })).message).toMatch(
      /destroyed.*For another one, correct "version" of the source/,
    );
    expect((await failure({ references: false, sources: [{ secretPath: 'versions', version: 3 }] })).message).toMatch(
      /no version 3, or no such secret.*correct "version" of the source, or leave it out/,
    );
  });

  it.each([
    ['"x-${vault:secret/my-app/db#password}-y"'],
    ['"${vault:secret/other#value}"'],
    ['"pg://${EXPAND_HOST}:${vault:secret/my-app/db#password}@${EXPAND_HOST}"'],
  ])('in .env that expandVariables has taken apart stop the boot: %s', async (text) => {
    await writeFile('.env', `EXPAND_HOST=host\nEXPANDED=${text}\n`);
    @Module({
      imports: [
        ConfigModule.forRoot({ expandVariables: true }),
        VaultModule.forRoot({ endpoint, auth: { method: 'token', token: server.rootToken } }),
      ],
    })
    class AppModule {}
    await expect(bootApplication(AppModule)).rejects.toThrow(
      /"expandVariables" of ConfigModule has taken references in \.env.*: EXPANDED\. Leave the option out/,
    );
    // A variable that somebody has set is no reference at all.
    process.env['EXPANDED'] = 'pg://host:real@host';
    expect((await boot()).get('EXPANDED')).toBe('pg://host:real@host');
  });

  it('of .env are found after expandVariables in linear time', async () => {
    await writeFile('.env', `EXPANDED="${'${A}-'.repeat(12)}x\${vault:secret/my-app/db#password}"\n`);
    process.env['EXPANDED'] = '-'.repeat(100_000);
    expect((await boot()).get('EXPANDED')).toHaveLength(100_000);
  });

  it('of .env behind a backslash are left to this module by expandVariables', async () => {
    const url = 'URL="pg://${NAME}:\\${vault:secret/my-app/db#password}@db"\n';
    for (const expandVariables of [true, false]) {
      await writeFile('.env', `NAME=app\n${expandVariables ? url : url.replace('${NAME}', 'app')}`);
      const app = await start({}, { expandVariables });
      expect(app.get(ConfigService).get('URL')).toBe('pg://app:hunter2@db');
      delete process.env['URL'];
    }
  });

  it('find mounts with slashes', async () => {
    await server.request('POST', 'team/kv/data/x', { data: { k: 'team' } });
    process.env['WITH_DATA'] = 'vault:team/kv/data/x#k';
    expect((await boot()).get('WITH_DATA')).toBe('team');
    process.env['WITHOUT'] = 'vault:team/kv/x#k';
    expect((await boot({ references: { mountPath: 'team/kv/' } })).get('WITHOUT')).toBe('team');
    expect((await boot({ sources: [{ secretPath: 'x', mountPath: 'team/kv' }] })).get('WITHOUT')).toBe('team');
  });
});

describe('references inside a longer text', () => {
  const PASSWORD = 'vault:secret/my-app/db#password';

  it.each([
    `postgres://app:${PASSWORD}@db/app`,
    `see ${PASSWORD}`,
    `postgres://app:${encodeURIComponent(PASSWORD)}@db/app`,
    `postgres://app:${PASSWORD.toUpperCase()}@db/app`,
    `postgres://app:${PASSWORD.split('#')[0]}`,
    `postgres://app:${PASSWORD.slice('vault:'.length)}@db/app`,
    JSON.stringify({ password: PASSWORD }),
    `>>${PASSWORD}`,
    `\${${PASSWORD}} and ${PASSWORD}`,
    `${PASSWORD}?sslmode=require`,
    `${PASSWORD}@db:5432/app?sslmode=require`,
  ])('stop the boot, in variables and in config.load: %s', async (text) => {
    process.env['DB_PASSWORD'] = PASSWORD;
    const load = [() => ({ database: { urls: [text] } })];
    const inLoad = await failure({ load });
    process.env['DATABASE_URL'] = text;
    const inVariable = await failure({ load });
    expect([inLoad, inVariable]).toMatchObject(Array(2).fill({ code: 'VAULT_CONFIGURATION' }));
    expect(inLoad.message).toMatch(/1\. "database" of config\.load\[0\] refers to/);
    expect(inVariable.message).toMatch(/1\. DATABASE_URL refers to vault:/i);
    for (const { message } of [inLoad, inVariable]) expect(message).not.toContain('postgres:');
    expect((await boot({ references: { literal: ['DATABASE_URL'] } })).get('DATABASE_URL')).toBe(text);
  });

  it.each([
    `postgres://app:${PASSWORD}@db/app`,
    `postgres://app:${PASSWORD.toUpperCase()}@db/app`,
    `postgres://app:${encodeURIComponent(PASSWORD)}@db/app`,
    `see ${PASSWORD}`,
    JSON.stringify({ password: PASSWORD }),
    JSON.stringify({ password: PASSWORD }).replaceAll('/', '\\/'),
  ])('stop the boot without a variable that is the reference alone: %s', async (text) => {
    const inLoad = await failure({ load: [() => ({ database: { urls: [text] } })] });
    const inModule = await failure({}, { load: [() => ({ database: { urls: [text] } })] });
    process.env['DATABASE_URL'] = text;
    const inVariable = await failure();
    expect([inLoad, inVariable, inModule]).toMatchObject([
      { code: 'VAULT_CONFIGURATION' },
      { code: 'VAULT_CONFIGURATION' },
      { code: 'VAULT_INVALID_OPTION' },
    ]);
    expect(inVariable.message).toMatch(/1\. DATABASE_URL refers to vault:/i);
    expect((await boot({ references: { literal: ['DATABASE_URL'] } })).get('DATABASE_URL')).toBe(text);
  });

  it('stop the boot when expandVariables has put them there, whatever the case of the value', async () => {
    await writeFile('.env', `DB_PASSWORD="${PASSWORD}"\nDATABASE_URL=postgres://app:\${DB_PASSWORD}@db/app\n`);
    const error = await failure({}, { expandVariables: true });
    expect(error.message).toMatch(/1 problem[^]*DATABASE_URL refers to vault:secret\/my-app\/db#password.*\\\$\{vault:secret\/my-app\/db#password\}/); // prettier-ignore
  });

  it('stop the boot when a validation or a factory of ConfigModule has put them there', async () => {
    process.env['DB_PASSWORD'] = PASSWORD;
    const validate = (variables: Record<string, unknown>) => ({
      ...variables,
      DB_PASSWORD: String(variables['DB_PASSWORD']).toUpperCase(),
      db: { url: `pg://${String(variables['DB_PASSWORD']).trim().toUpperCase()}@db` },
    });
    expect((await failure({}, { validate })).message).toContain('reference to Vault: "db.url".');
    const load = [() => ({ database: { url: `pg://${process.env['DB_PASSWORD']}@db` } })];
    expect((await failure({}, { load })).message).toContain('reference to Vault: "database.url".');
    expect((await boot({ references: { literal: ['database.url'] } }, { load })).get('DB_PASSWORD')).toBe('hunter2');
  });

  it('are no matter in defaults, in values of secrets, and where the reference is another one', async () => {
    await server.seed({ 'secret/texts': { note: `see ${PASSWORD}`, user: 'u', username: 'n' } });
    Object.assign(process.env, {
      DB_PASSWORD: PASSWORD,
      DEFAULT: `vault:secret/absent#key?postgres://app:${PASSWORD}@db`,
      NOTE: 'vault:secret/texts#note',
      LONGER: '<${vault:secret/texts#note}>',
      USER_NAME: 'vault:secret/texts#username',
      A_USER: 'vault:secret/texts#user',
      WITH_DEFAULT: 'vault:secret/texts#user?changeme',
      URL: 'https://host/secret/texts#section',
    });
    const config = await boot({ sources: ['texts'] });
    expect(
      ['DEFAULT', 'NOTE', 'LONGER', 'note', 'USER_NAME', 'A_USER', 'WITH_DEFAULT', 'URL'].map((key) =>
        config.get<unknown>(key),
      ),
    ).toEqual([
      `postgres://app:${PASSWORD}@db`,
      `see ${PASSWORD}`,
      `<see ${PASSWORD}>`,
      `see ${PASSWORD}`,
      'n',
      'u',
      'u',
      'https://host/secret/texts#section',
    ]);
  });

  it('are not looked for when references are off', async () => {
    Object.assign(process.env, { DB_PASSWORD: PASSWORD, DATABASE_URL: `pg://${PASSWORD}@db` });
    expect((await boot({ references: false })).get('DATABASE_URL')).toBe(`pg://${PASSWORD}@db`);
  });

  it.each(['prototype', 'constructor', '_PROCESS_ENV_VALIDATED'])(
    'do not reach ConfigService by the name %s',
    async (name) => {
      process.env[name] = 'vault:secret/my-app/db#tls';
      const error = await failure();
      expect(error.message).toMatch(new RegExp(`${name} refers to vault:secret/my-app/db#tls.*Rename the variable`));
      expect(({} as { ca?: unknown }).ca).toBeUndefined();
    },
  );
});

describe('load', () => {
  it('runs factories once, resolves at any depth, and keeps what is not plain', async () => {
    const shared: Record<string, unknown> = { url: 'x-${vault:secret/my-app/db#password}' };
    shared['self'] = shared;
    class Pool {
      readonly secret = 'vault:secret/my-app/db#password';
    }
    const pool = new Pool();
    let runs = 0;
    const database = registerAs('database', async () => {
      runs += 1;
      await Promise.resolve();
      return {
        password: 'vault:secret/data/my-app/db#password',
        ports: [{ main: 'vault:secret/my-app/db#port' }],
        shared,
      };
    });
    const load = [database, () => ({ pool, level: 3, DB_PASSWORD: 'mine' })];
    const app = await start({ load, references: { literal: ['pool'] } });
    const config = app.get(ConfigService);
    expect(config.get('database.password')).toBe('hunter2');
    expect(config.get('database.ports')).toEqual([{ main: 5432 }]);
    const made = config.get<Record<string, unknown>>('database.shared');
    expect(made?.['url']).toBe('x-hunter2');
    expect(made?.['self']).toBe(made);
    expect(shared['url']).toContain('vault:');
    expect(config.get('pool')).toBe(pool);
    expect(config.get('level')).toBe(3);
    expect(app.get(Consumer).password).toBe('mine');
    expect(runs).toBe(1);
    expect(app.get(VaultService).explain('database.password')).toMatchObject({ secretPath: 'my-app/db' });
    expect(app.get(VaultService).explain('level')).toBeUndefined();
  });

  it('sees whole references of .env, also when a parser has cut them at the "#" because they are not in quotes', async () => {
    const load = [
      registerAs('database', () => ({ url: [process.env['DB_URL']], password: process.env['DB_PASSWORD'] })),
    ];
    const reference = 'vault:secret/data/my-app/db#password';
    await writeFile('.env', `DB_PASSWORD=${reference}\nDB_URL=pg://\${${reference}}@db\n`);
    expect((await boot({ load })).get('database')).toEqual({ url: ['pg://hunter2@db'], password: 'hunter2' });
    // From a file of another name, there is only the first half.
    await rm('.env');
    process.env['DB_PASSWORD'] = reference.split('#')[0];
    expect((await failure({ load })).message).toMatch(/DB_PASSWORD refers to .*names no key of the secret.*quotes/);
    for (const name of ['DB_PASSWORD', 'DB_URL']) delete process.env[name];
    await writeFile('.env', `DB_PASSWORD="${reference}"\nDB_URL='pg://\${${reference}}@db'\n`);
    expect((await boot({ load })).get('database')).toEqual({ url: ['pg://hunter2@db'], password: 'hunter2' });
  });

  it('keeps what a schema says nothing about', async () => {
    process.env['DB_PASSWORD'] = 'vault:secret/my-app/db#password';
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) => ({ value: { value: (value as { value: string }).value + '!' } }),
      },
    } as const;
    const config = await boot({ sources: ['other'], load: [() => ({ level: 3 })], schema });
    expect([config.get('value'), config.get('level'), config.get('DB_PASSWORD'), config.get('chain')]).toEqual([
      'from-other!',
      3,
      'hunter2',
      undefined,
    ]);
  });

  it.each<[string, VaultConfigOptions['load'], RegExp]>([
    [
      'a namespace',
      [vaultConfig('misplaced', { secretPath: 'x' })],
      /"config\.load\[0\]" is vaultConfig\("misplaced"\).*"config\.sources"/,
    ],
    ['no object', [() => 7 as never], /"config\.load\[0\]" must make an object/],
    ['no function', [Promise.resolve(7 as never)], /"config\.load\[0\]" must be a function/],
    ['a reserved key', [() => JSON.parse('{"__proto__":1}') as never], /"config\.load\[0\]" makes a key/],
    ['a reserved namespace', [registerAs('a.constructor', () => ({}))], /"config\.load\[0\]" makes a key/],
    [
      'a bad reference',
      [() => ({ deep: [{ x: 'vault:secret/nope#k' }] })],
      /nope.*Needed by 1 value: "deep" of config\.load\[0\]/,
    ],
  ])('refuses %s', async (_, load, message) => {
    const error = await failure({ ...(load && { load }) });
    expect(error.message).toMatch(message);
  });

  it('passes on what a factory throws', async () => {
    const load = [() => Promise.reject(new Error('no such file'))];
    await expect(start({ load })).rejects.toThrow('no such file');
  });
});

describe('references in secrets, on request', () => {
  const references = { inSecrets: true };

  it('are followed, each secret read once', async () => {
    process.env['CHAIN'] = '<${vault:secret/other#chain}>';
    const config = await boot({ references, sources: ['my-app/db'] });
    expect([config.get('looksLikeOne'), config.get('CHAIN')]).toEqual(['from-other', '<hunter2>']);
    expect(asked.sort()).toEqual(['secret/data/my-app/db', 'secret/data/other']);
  });

  it('that run in a circle are one clear error naming it', async () => {
    process.env['START'] = 'vault:secret/cycle/a#x';
    const error = await failure({ references });
    expect(error.message).toMatch(
      /START refers to .*cycle: vault:secret\/cycle\/a#x → vault:secret\/cycle\/b#y → vault:secret\/data\/cycle\/c#z → vault:secret\/cycle\/a#x/,
    );
    delete process.env['START'];
    expect((await failure({ references, sources: [{ secretPath: 'cycle/c', keys: ['self'] }] })).message).toMatch(
      /key "self" of secret "cycle\/c" refers to .*cycle: vault:secret\/cycle\/c#self → vault:secret\/cycle\/c#self/,
    );
    // Nobody asked for them to be followed.
    expect((await boot({ sources: ['cycle/c'] })).get('self')).toBe('vault:secret/cycle/c#self');
  });

  it('that multiply are stopped', async () => {
    process.env['LAUGH'] = 'vault:secret/laugh/0#ha';
    expect((await failure({ references })).message).toMatch(/LAUGH refers to .*more than 16 references/);
    process.env['LAUGH'] = 'vault:secret/laugh/20#ha';
    expect((await failure({ references })).message).toMatch(/LAUGH refers to .*longer than 8388608 characters/);
  });
});

describe('many', () => {
  it('references to a few secrets are read once each and resolved; those to one absent secret make one error', async () => {
    const load = [
      () =>
        Object.fromEntries(
          Array.from({ length: 10_000 }, (_, i) => [
            `k${i}`,
            `vault:secret/${i % 2 ? 'other' : 'my-app/db'}#${i % 2 ? 'value' : 'port'}`,
          ]),
        ),
    ];
    const config = await boot({ load });
    expect([config.get('k9998'), config.get('k9999')]).toEqual([5432, 'from-other']);
    expect(asked).toHaveLength(2);
    const absent = [
      () => Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, `vault:secret/none#k${i}`])),
    ];
    const { message } = await failure({ load: absent });
    expect(message).toMatch(/1 problem\b[^]*and 9990 more/);
    expect(message.length).toBeLessThan(3_000);
  });
});
