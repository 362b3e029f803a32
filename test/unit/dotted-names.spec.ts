import { afterAll, describe, expect, it } from '@jest/globals';
import { ConfigService, registerAs } from '@nestjs/config';
import fc from 'fast-check';
import { ConfigurationLoader } from '../../lib/config/configuration-loader.js';
import { ConfigurationStore } from '../../lib/config/configuration-store.js';
import { isPlainObject, plainAt } from '../../lib/config/plain.js';
import { resolveConfig } from '../../lib/config/resolve-config.js';
import type { SecretRead } from '../../lib/config/sources/read-secrets.js';
import { SecretReads } from '../../lib/config/sources/read-secrets.js';
import type { StandardSchema, VaultConfigOptions } from '../../lib/index.js';
import { isVaultError, vaultConfig } from '../../lib/index.js';
import { createClient } from '../support/vault-client.js';

type Values = Record<string, unknown>;

const client = await createClient('http://127.0.0.1:9');
afterAll(() => client.close());

function readOf(data: Values): SecretRead {
  const secret = { data, version: 1, createdTime: '', destroyed: false, customMetadata: {} };
  return { secret, readAt: new Date(), requestedAt: 0 };
}

/** Secrets by path, as an application would read them. */
function readsOf(secrets: Record<string, Values>) {
  return new SecretReads(
    Object.entries(secrets).map(([secretPath, data]) => [{ mountPath: 'secret', secretPath }, readOf(data)]),
  );
}

async function boot(config: VaultConfigOptions, secrets: Record<string, Values>, environment = {}) {
  const loader = new ConfigurationLoader(client, resolveConfig(config, environment));
  const store = new ConfigurationStore(loader, await loader.assemble(readsOf(secrets)));
  const host = {};
  store.connect(host);
  return { loader, store, service: new ConfigService(host) };
}

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => 'booted',
    (error: unknown) => (isVaultError(error) ? error.code : error),
  );

/** Gives back what it was given, when the password is a text that begins with "good". */
const goodPassword: StandardSchema<unknown, { password: string }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const { password } = value as { password: string };
      return String(password).startsWith('good') ? { value: { ...(value as object), password } } : { issues: [{ message: '' }] }; // prettier-ignore
    },
  },
};

const nested = { secretPath: 'db', as: 'database' };

describe('a key with dots and the value its dots lead to', () => {
  it.each([
    ['first', { flat: { 'database.password': 'flat' }, db: { password: 'nested', host: 'h' } }, ['flat', nested], 'nested', 'flat'],
    ['last', { flat: { 'database.password': 'flat' }, db: { password: 'nested', host: 'h' } }, [nested, 'flat'], 'flat', 'db'],
    ['first, before an object', { flat: { 'database.password': 'flat' }, db: { database: { password: 'nested', host: 'h' } } }, ['flat', 'db'], 'nested', 'flat'],
    ['last, after an object', { flat: { 'database.password': 'flat' }, db: { database: { password: 'nested', host: 'h' } } }, ['db', 'flat'], 'flat', 'db'],
    ['in brackets', { flat: { 'database[password]': 'flat' }, db: { password: 'nested', host: 'h' } }, ['flat', nested], 'nested', 'flat'],
  ])('are one place when it comes %s', async (_, secrets, sources, wins, hidden) => {
    const { service, store } = await boot({ sources }, secrets);
    expect([service.get('database.password'), service.get('database')]).toEqual([
      wins,
      { password: wins, host: 'h' },
    ]);
    expect(service.get('database[password]')).toBe(wins);
    expect(store.explain('database.password')?.overrides).toMatchObject([{ secretPath: hidden }]);
  }); // prettier-ignore

  it('are one place with factories and registerAs', async () => {
    const load = [registerAs('database', () => ({ password: 'made', host: 'h' })), () => ({ 'database.port': 1 })];
    const sources = ['flat'];
    const { service } = await boot({ load, sources }, { flat: { 'database.password': 'flat' } });
    expect([service.get('database.password'), service.get('database')]).toEqual([
      'flat',
      { password: 'flat', host: 'h', port: 1 },
    ]);
    const other = await boot({ load: [() => ({ 'database.password': 'made' })], sources: [nested] }, { db: { password: 'nested' } }); // prettier-ignore
    expect([other.service.get('database.password'), other.service.get('database')]).toEqual(['nested', { password: 'nested' }]); // prettier-ignore
  });

  it('follow a variable of that name with precedence "env"', async () => {
    const environment = { 'database.password': 'variable' };
    for (const secrets of [
      { flat: {}, db: { password: 'nested' } },
      { flat: { 'database.password': 'flat' }, db: { password: 'nested' } },
      { flat: {}, db: { password: 'nested', extra: { deep: 1 } } },
    ]) {
      const { service } = await boot({ precedence: 'env', sources: ['flat', nested] }, secrets, environment);
      expect([service.get('database.password'), service.get<Values>('database')?.['password']]).toEqual(['variable', 'variable']); // prettier-ignore
    }
  });

  it('share their alias', async () => {
    const secrets = { flat: { 'database.password': 'flat' }, db: { password: 'nested' } };
    const { service } = await boot({ aliases: 'SCREAMING_CASE', sources: ['flat', nested] }, secrets);
    expect(service.get('DATABASE_PASSWORD')).toBe('nested');
  });

  it('are two names when nothing else is called as they begin', async () => {
    const secrets = { flat: { 'log.level': 'debug', 'log.level.root': 'info', 'log.file': 'f' } };
    const { service } = await boot({ sources: ['flat'] }, secrets);
    expect(['log.level', 'log.level.root', 'log.file'].map((key) => service.get<unknown>(key))).toEqual(['debug', 'info', 'f']); // prettier-ignore
  });

  it.each([
    ['in one secret, one renamed', [{ secretPath: 'flat', map: { PW: 'database.password' } }], { flat: { 'database.password': 'a', PW: 'b' } }],
    ['of a text', ['flat', 'db'], { flat: { 'database.password': 'a' }, db: { database: 'text' } }],
    ['of a text, later', ['db', 'flat'], { flat: { 'database.password': 'a' }, db: { database: 'text' } }],
    ['of a list', ['db', 'flat'], { flat: { 'hosts.0': 'a' }, db: { hosts: ['b'] } }],
    ['of a list, in brackets', ['db', 'flat'], { flat: { 'hosts[0]': 'a' }, db: { hosts: ['b'] } }],
    ['of null', ['db', 'flat'], { flat: { 'database.password': 'a' }, db: { database: null } }],
    ['of a text in an object', ['db', 'flat'], { flat: { 'a.b.c': 'a' }, db: { a: { b: 'text' } } }],
    ['of a reserved name', ['flat', nested], { flat: { 'database.__proto__.x': 'a' }, db: { password: 'b' } }],
    ['of a million dots', ['flat', nested], { flat: { [`database${'.x'.repeat(1_000_000)}`]: 'a' }, db: { password: 'b' } }],
  ])('stop the boot when a path leads into the value %s', async (_, sources, secrets) => {
    expect(await refusal(boot({ sources }, secrets as Record<string, Values>))).toBe('VAULT_CONFIGURATION');
  }); // prettier-ignore

  it('have the value of the key with dots in one secret and in one factory', async () => {
    const values = { 'database.password': 'dots', database: { password: 'object', host: 'h' } };
    for (const [config, secrets] of [
      [{ sources: ['flat'] }, { flat: values }],
      [{ load: [() => values] }, {}],
    ] as [VaultConfigOptions, Record<string, Values>][]) {
      const { service } = await boot(config, secrets);
      expect([service.get('database.password'), service.get('database')]).toEqual([
        'dots',
        { password: 'dots', host: 'h' },
      ]);
    }
  });

  it('never get past the schema of a namespace', async () => {
    const database = vaultConfig('database', { secretPath: 'db', schema: goodPassword });
    const bad = { flat: { 'database.password': 'bad' }, db: { password: 'good' } };
    const { service } = await boot({ sources: ['flat', database] }, bad);
    expect([service.get('database.password'), service.get('database')]).toEqual(['good', { password: 'good' }]);
    const extra = { flat: { 'database.extra': 'bad' }, db: { password: 'good' } };
    const inObject = { flat: { database: { extra: 'bad' } }, db: { password: 'good' } };
    const asContainer = { secretPath: 'other', as: 'database' };
    for (const [config, secrets] of [
      [{ sources: [database, 'flat'] }, bad],
      [{ sources: [database, 'flat'] }, extra],
      [{ sources: ['flat', database] }, extra],
      [{ sources: ['flat', database] }, inObject],
      [{ sources: [database, asContainer] }, { db: { password: 'good' }, other: { password: 'bad' } }],
      [{ load: [() => ({ 'database.extra': 'bad' })], sources: [database] }, { db: { password: 'good' } }],
    ] as [VaultConfigOptions, Record<string, Values>][]) {
      expect(await refusal(boot(config, secrets))).toBe('VAULT_CONFIGURATION');
    }
  });

  it('stay one place, or keep the last good values, when they come or go at a refresh', async () => {
    const { loader, store, service } = await boot({ sources: ['flat', nested] }, { flat: { 'database.host': 'flat' }, db: {} }); // prettier-ignore
    expect(service.get('database.host')).toBe('flat');
    const both = () => [service.get<unknown>('database.host'), service.get<unknown>('database')];
    const change = store.apply(await loader.assemble(readsOf({ flat: { 'database.host': 'flat' }, db: { host: 'nested' } }))); // prettier-ignore
    expect(change?.keys).toEqual(['database.host']);
    expect(both()).toEqual(['nested', { host: 'nested' }]);
    store.apply(await loader.assemble(readsOf({ flat: { 'database.port': 1 }, db: { host: 'nested' } })));
    expect(service.get('database')).toEqual({ host: 'nested', port: 1 });
  });
});

type Write = readonly [key: string, value: unknown];

const name = fc.constantFrom('a', 'b', 'c');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('.'));
const scalar = fc.oneof(fc.string({ maxLength: 3 }), fc.integer(), fc.boolean(), fc.constant(null));
const value = fc.oneof(
  { weight: 3, arbitrary: scalar },
  { weight: 1, arbitrary: fc.dictionary(name, fc.oneof(scalar, fc.dictionary(name, scalar, { maxKeys: 2 })), { maxKeys: 2 }) },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 2 }) },
); // prettier-ignore
const secret = fc.record({
  values: fc.dictionary(path, value, { maxKeys: 3 }),
  as: fc.option(fc.constantFrom('a', 'b', 'a.b'), { nil: undefined }),
  made: fc.boolean(),
});
const PLACES = ['a', 'b', 'c'].flatMap((one) => [one, ...['a', 'b', 'c'].flatMap((two) => [`${one}.${two}`, ...['a', 'b', 'c'].map((three) => `${one}.${two}.${three}`)])]); // prettier-ignore

/** Every write in the order of precedence, as paths in one tree: the last one wins. */
function treeOf(writes: readonly Write[]): Values {
  const tree: Values = {};
  for (const [key, given] of writes) {
    const names = key.split('.');
    let place = tree;
    for (const part of names.slice(0, -1)) {
      place[part] = isPlainObject(place[part]) ? { ...place[part] } : {};
      place = place[part] as Values;
    }
    place[names.at(-1) as string] = given;
  }
  return tree;
}

it('both lookups of a name agree and have the value of highest precedence, or the boot stops', async () => {
  let booted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(secret, { minLength: 1, maxLength: 4 }), async (drawn) => {
      const made = drawn.filter((one) => one.made);
      const read = drawn.filter((one) => !one.made);
      const config = {
        load: made.map(({ values, as }) => (as === undefined ? () => values : registerAs(as, () => values))),
        sources: read.map(({ as }, index) => ({ secretPath: `s${index}`, ...(as !== undefined && { as }) })),
      };
      const secrets = Object.fromEntries(read.map(({ values }, index) => [`s${index}`, values]));
      const result = await boot(config, secrets).catch((error: unknown) => {
        if (!isVaultError(error)) throw error;
      });
      if (!result) return;
      booted++;
      const { service } = result;
      // A key with dots in a container is a property of that name, which no path leads to.
      const written = [...made, ...read].flatMap(({ values, as }) =>
        Object.entries(values)
          .sort(([one], [other]) => one.split('.').length - other.split('.').length)
          .map(([key, given]): Write => [as === undefined ? key : `${as}.${key}`, given]),
      );
      const reachable = [...made, ...read].every(({ values, as }) => as === undefined || Object.keys(values).every((key) => !key.includes('.'))); // prettier-ignore
      const tree = reachable ? treeOf(written) : undefined;
      for (const place of PLACES) {
        const [first, ...inside] = place.split('.') as [string, ...string[]];
        const found = service.get<unknown>(place);
        const whole = service.get<unknown>(first);
        if (whole !== undefined) expect([place, plainAt({ whole }, ['whole', ...inside])]).toEqual([place, found]);
        else if (found !== undefined)
          expect(found).toEqual(written.filter(([key]) => key === place).at(-1)?.[1] ?? found);
        if (whole !== undefined && tree) expect([place, found]).toEqual([place, plainAt(tree, place.split('.'))]);
      }
    }),
    { numRuns: 1000 },
  );
  // Most draws stand: a property that only ever sees refusals would hold for nothing.
  expect(booted).toBeGreaterThan(300);
});
