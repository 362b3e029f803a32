import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { z } from 'zod';
import { ConfigurationLoader } from '../../lib/config/configuration-loader.js';
import { ConfigurationStore } from '../../lib/config/configuration-store.js';
import { SecretReads } from '../../lib/config/sources/read-secrets.js';
import { resolveConfig } from '../../lib/config/resolve-config.js';
import type { VaultConfigOptions } from '../../lib/index.js';
import { failWhenBlocked } from '../support/blocked-loop.js';
import { createClient } from '../support/vault-client.js';

// No server takes secrets like these, but a proxy may hand them out. What is not linear takes minutes here.
failWhenBlocked();
const client = await createClient('http://127.0.0.1:9');
afterAll(() => client.close());

function reading(data: Record<string, unknown>): SecretReads {
  const secret = { data, version: 1, createdTime: '', destroyed: false, customMetadata: {} };
  return new SecretReads([
    [
      { mountPath: 'secret', secretPath: 'x' },
      { secret, readAt: new Date(), requestedAt: 0 },
    ],
  ]);
}

function loaderOf(config: VaultConfigOptions, environment = {}): ConfigurationLoader {
  return new ConfigurationLoader(client, resolveConfig(config, environment));
}

const keep = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } as const;
const many = Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`group${i % 10}__key${i}`, `v${i}`]));

describe('30,000 keys', () => {
  it.each<[string, VaultConfigOptions]>([
    ['flat', { sources: ['x'] }],
    ['nested', { sources: [{ secretPath: 'x', nest: '__', as: 'all' }] }],
    ['through a schema', { sources: [{ secretPath: 'x', nest: '__' }], schema: keep }],
    ['with aliases', { sources: ['x'], aliases: 'SCREAMING_CASE' }],
    ['beside an environment that wins', { sources: ['x'], precedence: 'env' }],
    ['looked through for references', { sources: ['x'], references: { inSecrets: true } }],
  ])('%s', async (_, config) => {
    const loader = loaderOf(config, { GROUP0_KEY0: 'env' });
    const loaded = await loader.assemble(reading(many));
    expect(loaded.written.size).toBe(config.aliases ? 60_000 : 30_000);
    const store = new ConfigurationStore(loader, loaded);
    const next = await loader.assemble(reading({ ...many, group1__key1: 'new' }));
    expect(store.apply(next)?.keys).toHaveLength(config.aliases ? 2 : 1);
  });
});

describe('a value nested 50,000 levels deep', () => {
  const deep = () => JSON.parse(`${'{"a":'.repeat(50_000)}"end"${'}'.repeat(50_000)}`) as Record<string, unknown>;

  it.each<[string, VaultConfigOptions]>([
    ['as it is', { sources: ['x'] }],
    ['through a schema', { sources: ['x'], schema: keep }],
    ['with aliases', { sources: ['x'], aliases: 'SCREAMING_CASE' }],
    ['beside an environment that wins', { sources: ['x'], precedence: 'env' }],
    ['looked through for references', { sources: ['x'], references: { inSecrets: true } }],
    ['in what a factory makes', { load: [() => ({ x: deep() })] }],
  ])('%s', async (_, config) => {
    const loader = loaderOf(config);
    const loaded = await loader.assemble(reading({ x: deep() }));
    let value: unknown = loaded.written.toObject()['x'];
    let depth = 0;
    for (; typeof value === 'object'; value = (value as { a: unknown }).a) depth += 1;
    expect(depth).toBe(50_000);
    const store = new ConfigurationStore(loader, loaded);
    store.apply(await loader.assemble(reading({ x: deep() })));
    expect(store.origins().length).toBeLessThanOrEqual(1);
  });
});

it.each<[string, string, VaultConfigOptions]>([
  [
    'that is no base64',
    `${' '.repeat(1_000_000)}!`,
    { sources: [{ secretPath: 'x', files: [{ key: 'v', encoding: 'base64' }] }] },
  ],
  [
    'that fits no schema',
    `a${' '.repeat(1_000_000)}b\nc`,
    { sources: ['x'], schema: z.object({ v: z.string().max(9) }) },
  ],
])('a long value %s is refused at once', async (_, v, config) => {
  // Quadratic, each takes ten minutes.
  await expect(loaderOf(config).assemble(reading({ v }))).rejects.toThrow('(1 problem)');
});

describe('references in secrets that multiply as objects', () => {
  const levels = (width: number, leaf: unknown = 'leaf') =>
    Object.fromEntries(
      Array.from({ length: 10 }, (_, level) => [
        `level${level}`,
        level === 9
          ? leaf
          : Object.fromEntries(
              Array.from({ length: width }, (__, i) => [`k${i}`, `vault:secret/data/x#level${level + 1}`]),
            ),
      ]),
    );

  it.each<[string, VaultConfigOptions]>([
    ['as they are', {}],
    ['with aliases', { aliases: 'SCREAMING_CASE' }],
    ['below variables', { precedence: 'env' }],
    ['in files', { sources: [{ secretPath: 'x', files: [{ key: 'level0' }] }] }],
    ['in process.env', { exportToProcessEnv: true }],
  ])('are refused by name, %s', async (_, config) => {
    const loader = loaderOf({ sources: ['x'], references: { inSecrets: true }, ...config });
    await expect(loader.assemble(reading(levels(10)))).rejects.toMatchObject({
      code: 'VAULT_CONFIGURATION',
      message: expect.stringMatching(/larger than 16000000 characters in all/) as unknown,
    });
  });

  it('are refused when it is their text that multiplies', async () => {
    const loader = loaderOf({ sources: ['x'], references: { inSecrets: true } });
    await expect(loader.assemble(reading(levels(2, 'x'.repeat(100_000))))).rejects.toThrow(/larger than/);
  });

  it('are followed as far as anybody needs', async () => {
    const loader = loaderOf({ sources: ['x'], references: { inSecrets: true } });
    const loaded = await loader.assemble(reading(levels(2)));
    expect(JSON.stringify(loaded.written.toObject()['level0']).match(/leaf/g)).toHaveLength(512);
  });
});

it('what a factory makes may hold itself, many times', async () => {
  const self: Record<string, unknown> = { port: 1, list: [] };
  for (const name of ['parent', 'root', 'me']) self[name] = self;
  (self['list'] as unknown[]).push(self);
  const load = [() => ({ self, other: { self } })];
  const loader = loaderOf({ load, aliases: 'SCREAMING_CASE', precedence: 'env', references: { inSecrets: true } });
  const loaded = await loader.assemble(new SecretReads());
  const store = new ConfigurationStore(loader, loaded);
  expect(store.values).toMatchObject({ SELF_PORT: 1, OTHER_SELF_PORT: 1 });
  expect(store.apply(await loader.assemble(new SecretReads()))).toBeUndefined();
  // Nor does a schema that refuses it look for its texts for ever, of which it has none.
  const empty: Record<string, unknown> = {};
  empty['self'] = empty;
  const refuse = {
    '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'no' }] }) },
  } as const;
  await expect(loaderOf({ load: [() => ({ empty })], schema: refuse }).assemble(new SecretReads())).rejects.toThrow(
    /do not fit/,
  );
});

it('a schema that never returns is given up', async () => {
  jest.useFakeTimers();
  const validate = () => new Promise<never>(() => undefined);
  const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const;
  const failure = loaderOf({ sources: ['x'], schema })
    .assemble(reading({ x: 1 }))
    .catch((error: unknown) => error);
  await jest.advanceTimersByTimeAsync(30_000);
  jest.useRealTimers();
  expect(String(await failure)).toMatch(/The schema of "config" has not returned within 30 s/);
});

describe('separators', () => {
  it('without end are no containers', async () => {
    const loaded = await loaderOf({ sources: [{ secretPath: 'x', nest: '_' }] }).assemble(
      reading({ ['a_'.repeat(100_000) + 'b']: 1, [`${'_'.repeat(100_000)}`]: 2, a_b: 3 }),
    );
    expect([...loaded.written.leaves()].map(({ path }) => path.length)).toEqual([1, 1, 2]);
  });
});
