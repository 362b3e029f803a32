import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, jest } from '@jest/globals';
import { Logger, Module } from '@nestjs/common';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import { LazyModuleLoader } from '@nestjs/core';
import { z } from 'zod';
import type { VaultConfigNamespace, VaultModuleOptions } from '../../lib/index.js';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { useAppBench } from '../support/app-bench.js';
import { gate } from '../support/boot-application.js';
import { forwardTo, json } from '../support/fault-server.js';

type Values = Readonly<Record<string, unknown>>;

const bench = useAppBench();

async function start(
  config: NonNullable<VaultModuleOptions['config']>,
  { features = [], name }: { features?: VaultConfigNamespace<object>[]; name?: string } = {},
) {
  @Module({
    imports: [
      ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
      VaultModule.forRoot(
        { endpoint: bench.front.endpoint, auth: { method: 'token', token: bench.server.rootToken }, config },
        name === undefined ? {} : { name },
      ),
      VaultModule.forFeature(...features),
    ],
  })
  class AppModule {}
  const app = await bench.boot(AppModule);
  const vault = app.get<VaultService>(name === undefined ? VaultService : `nestjs-vault:service:${name}`);
  return { app, vault, config: app.get(ConfigService), lazy: app.get(LazyModuleLoader) };
}

async function loadLater(lazy: LazyModuleLoader, namespace: VaultConfigNamespace<object>): Promise<object> {
  @Module({ imports: [VaultModule.forFeature(namespace)] })
  class LateModule {}
  const module = await lazy.load(() => LateModule);
  return module.get<object>(namespace.KEY, { strict: false });
}

describe('a namespace of forFeature', () => {
  it('keeps its values when the new ones do not fit its schema', async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await bench.server.seed({ 'secret/payments': { limit: 10 } });
    const payments = vaultConfig('payments', {
      secretPath: 'payments',
      vault: 'rejecting',
      schema: z.object({ limit: z.number() }),
    });
    const { app, vault } = await start({}, { features: [payments], name: 'rejecting' });
    const values = app.get<object>(payments.KEY, { strict: false });
    await bench.server.seed({ 'secret/payments': { limit: 'many' } });
    const { change, problems } = await vault.refresh();
    expect(change).toBeUndefined();
    expect(problems).toMatchObject([{ code: 'VAULT_CONFIGURATION' }]);
    expect(values).toEqual({ limit: 10 });
    await bench.server.seed({ 'secret/payments': { limit: 20 } });
    expect((await vault.refresh()).problems).toEqual([]);
    expect(values).toEqual({ limit: 20 });
  });

  it('is not lost to a refresh that began before it was loaded', async () => {
    await bench.server.seed({ 'secret/base': { KEY: 'one' }, 'secret/late': { on: true } });
    const late = vaultConfig('late', { secretPath: 'late', vault: 'racing' });
    const { vault, lazy, config } = await start({ sources: ['base'] }, { name: 'racing' });
    await bench.server.seed({ 'secret/base': { KEY: 'two' } });
    let answer = (): void => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    const asked = new Promise<void>((resolve) => {
      bench.front.answerWith(async (request, response) => {
        if (request.url?.includes('/base')) {
          resolve();
          await held;
        }
        return forwardTo(bench.server.endpoint)(request, response);
      });
    });
    const refreshed = vault.refresh();
    await asked;
    const values = await loadLater(lazy, late);
    answer();
    expect((await refreshed).change?.keys).toEqual(['KEY']);
    expect([values, config.get('late.on')]).toEqual([{ on: true }, true]);
  });

  it('does not bring back the old version of a secret it shares, whichever of the two was slower', async () => {
    await bench.server.seed({ 'secret/shared': { KEY: 'one' }, 'secret/slow': {}, 'secret/slower': {} });
    const early = vaultConfig('early', { secretPath: 'shared', vault: 'overtaken' });
    const late = vaultConfig('late', { sources: ['shared', 'slower'], vault: 'overtaken' });
    const { vault, lazy, config } = await start({ sources: ['shared', 'slow'] }, { name: 'overtaken' });
    /** Does the work with the old version in hand, one of the secrets being held back, while the new one is written. */
    const overtake = async (
      held: string,
      work: () => Promise<unknown>,
      meanwhile: () => Promise<unknown>,
      KEY: string,
    ) => {
      const [asked, answered, goOn] = [gate(), gate(), gate()];
      bench.front.answerWith(async (request, response) => {
        if (request.url?.endsWith(`/${held}`)) {
          asked.open();
          await goOn.opened;
        }
        await forwardTo(bench.server.endpoint)(request, response);
        if (request.url?.endsWith('/shared')) answered.open();
      });
      const working = work();
      await Promise.all([asked.opened, answered.opened]);
      await bench.server.seed({ 'secret/shared': { KEY } });
      await meanwhile();
      expect(config.get('KEY')).toBe(KEY);
      goOn.open();
      await working;
      expect(config.get('KEY')).toBe(KEY);
    };
    const refresh = () => vault.refresh();
    await overtake('slow', refresh, () => loadLater(lazy, early), 'two');
    await overtake('slower', () => loadLater(lazy, late), refresh, 'three');
    expect([config.get('early'), config.get('late')]).toEqual([{ KEY: 'three' }, { KEY: 'three' }]);
    expect(vault.explain('late.KEY')?.version).toBe(3);
  });

  it('that failed at boot is read anew by a module that is loaded later', async () => {
    const flaky = vaultConfig('flaky', { secretPath: 'flaky', vault: 'recovering' });
    VaultModule.forFeature(flaky);
    const { lazy } = await start({}, { name: 'recovering' });
    await bench.server.seed({ 'secret/flaky': { on: true } });
    expect(await loadLater(lazy, flaky)).toEqual({ on: true });
  });
});

describe('keys that change their place', () => {
  it.each<[string, Values, Values, unknown]>([
    ['a value becomes a container', { database: 'plain' }, { DATABASE__HOST: 'h' }, { host: 'h' }],
    ['a container becomes a value', { DATABASE__HOST: 'h' }, { database: 'plain' }, 'plain'],
    ['a container becomes an object', { DATABASE__HOST: 'h' }, { database: { port: 1 } }, { port: 1 }],
  ])('%s', async (_what, before, after, expected) => {
    await bench.server.seed({ 'secret/moving': before });
    const { vault, config } = await start({ sources: [{ secretPath: 'moving', nest: '__' }] });
    await bench.server.seed({ 'secret/moving': after });
    await vault.refresh();
    expect(config.get('database')).toEqual(expected);
    await bench.server.seed({ 'secret/moving': before });
    await vault.refresh();
    expect(config.get('database')).toEqual('database' in before ? 'plain' : { host: 'h' });
  });

  it('an object and a container of the same name stay merged', async () => {
    await bench.server.seed({
      'secret/one': { database: { host: 'h1', password: 'weak' } },
      'secret/two': { password: 'p' },
    });
    const { vault, config } = await start({ sources: ['one', { secretPath: 'two', as: 'database' }] });
    expect(config.get('database')).toEqual({ host: 'h1', password: 'p' });
    await bench.server.seed({ 'secret/one': { database: { host: 'h2' } } });
    expect((await vault.refresh()).change?.keys).toEqual(['database.host']);
    expect(config.get('database')).toEqual({ host: 'h2', password: 'p' });
  });
});

describe('a namespace and a value of the same name', () => {
  const database = vaultConfig('database', { secretPath: 'team-db' });

  it('are refused when the value would hide the namespace, at boot and at a refresh', async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await bench.server.seed({ 'secret/team-db': { host: 'h' }, 'secret/over': { OTHER: 1 } });
    const { vault, config } = await start({ sources: [database, 'over'] });
    await bench.server.seed({ 'secret/over': { database: 'hides-it' } });
    const { change, problems } = await vault.refresh();
    expect([change, config.get('database')]).toEqual([undefined, { host: 'h' }]);
    expect(problems[0]?.message).toContain('secret "over" in mount "secret" has a value called "database" there');
    expect(problems[0]?.message).not.toContain('hides-it');
    await expect(start({ sources: [database, 'over'] })).rejects.toMatchObject({ code: 'VAULT_CONFIGURATION' });
  });

  it('leave the namespace when that has precedence', async () => {
    await bench.server.seed({ 'secret/team-db': { host: 'h' }, 'secret/over': { database: 'hidden' } });
    const { vault, config } = await start({ sources: ['over', database] });
    expect(config.get('database')).toEqual({ host: 'h' });
    await bench.server.seed({ 'secret/over': { database: 'hidden still' } });
    expect((await vault.refresh()).change).toBeUndefined();
    expect(config.get('database')).toEqual({ host: 'h' });
  });
});

it('ten thousand keys that change their place are there afterwards', async () => {
  const names = Array.from({ length: 10_000 }, (_, index) => `k${index}`);
  // More than OpenBao takes in one request, so a server of ours has them.
  const answer = (version: number, key: (name: string) => string): void => {
    const data = Object.fromEntries(names.map((name) => [key(name), 'v']));
    const metadata = { version, created_time: '2026-01-01T00:00:00Z', destroyed: false, deletion_time: '' };
    const wide = json(200, { data: { data, metadata } });
    bench.front.answerWith((request, response) =>
      (request.url?.includes('/wide') ? wide : forwardTo(bench.server.endpoint))(request, response),
    );
  };
  answer(1, (name) => name);
  const { vault, config } = await start({ sources: [{ secretPath: 'wide', nest: '__' }] });
  answer(2, (name) => `${name}__inner`);
  expect((await vault.refresh()).change?.keys).toHaveLength(20_000);
  expect(config.get('k9999')).toEqual({ inner: 'v' });
});

it('changes and problems are events too, once each and without values', async () => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  await bench.server.seed({ 'secret/told': { KEY: 'value-1' } });
  const { vault } = await start({ sources: ['told'] });
  const events: unknown[] = [];
  vault.events$.subscribe((event) => events.push(event));
  await bench.server.seed({ 'secret/told': { KEY: 'value-2' } });
  await vault.refresh();
  await bench.server.request('DELETE', 'secret/data/told');
  await vault.refresh();
  await vault.refresh();
  await bench.server.seed({ 'secret/told': { KEY: 'value-2' } });
  await vault.refresh();
  const secrets = [{ mountPath: 'secret', secretPath: 'told', from: 1, to: 2 }];
  expect(events).toEqual([
    { type: 'config-changed', at: expect.any(Date), keys: ['KEY'], removed: [], secrets },
    {
      type: 'config-problem',
      at: expect.any(Date),
      codes: ['VAULT_DELETED_VERSION'],
      problems: [{ code: 'VAULT_DELETED_VERSION', path: 'secret/data/told', reason: expect.any(String) }],
      isPartial: false,
    },
    { type: 'config-problem', at: expect.any(Date), codes: [], problems: [], isPartial: false },
  ]);
  expect(JSON.stringify(events)).not.toContain('value-');
});

it('what registerAs makes for config.load can be injected, and stays current', async () => {
  await bench.server.seed({ 'secret/mail': { password: 'one' } });
  const mail = registerAs('mail', () => ({ from: 'a@example.com', password: 'vault:secret/mail#password' }));
  const { app, vault } = await start({ load: [mail] });
  const values = app.get<object>(mail.KEY, { strict: false });
  expect(values).toEqual({ from: 'a@example.com', password: 'one' });
  await bench.server.seed({ 'secret/mail': { password: 'two' } });
  await vault.refresh();
  expect(values).toEqual({ from: 'a@example.com', password: 'two' });
});

it('what a schema makes and nobody can read is a problem, not an error nobody hears of', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  await bench.server.seed({ 'secret/trap': { KEY: 'one' } });
  const validate = (value: unknown) => {
    const { KEY } = value as { KEY: string };
    const trap = {
      get KEY() {
        if (KEY === 'two') throw new TypeError(`quotes ${KEY}`);
        return KEY;
      },
    };
    return { value: trap };
  };
  const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const;
  const { vault, config } = await start({ sources: ['trap'], schema });
  await bench.server.seed({ 'secret/trap': { KEY: 'two' } });
  const { change, problems } = await vault.refresh();
  expect([change, problems.map(({ message }) => message)]).toEqual([
    undefined,
    [expect.stringContaining('The schema of "config" failed')],
  ]);
  expect(warn.mock.calls.flat().join()).toMatch(/stays as it was.*The schema of "config" failed/s);
  expect(warn.mock.calls.flat().join()).not.toContain('quotes');
  await bench.server.seed({ 'secret/trap': { KEY: 'three' } });
  await vault.refresh();
  expect(config.get('KEY')).toBe('three');
});

it('a snapshot with values that could not be read again is no younger than they are', async () => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const file = join(tmpdir(), `nestjs-vault-${randomUUID()}.snapshot`);
  const saved = async () => {
    const bytes = await readFile(file).catch(() => Buffer.alloc(78));
    return { bytes: bytes.toString('hex'), at: bytes.readBigUInt64BE(10) };
  };
  const until = async (before: { bytes: string }) => {
    for (const deadline = Date.now() + 10_000; Date.now() < deadline; await nextTurn()) {
      const now = await saved();
      if (now.bytes !== before.bytes) return now;
    }
    throw new Error('The snapshot has not been written.');
  };
  try {
    const nothing = await saved();
    await bench.server.seed({ 'secret/whole': { KEY: 1 }, 'secret/denied': {} });
    const { vault } = await start({ sources: ['whole', 'denied'], snapshot: { file, key: 'k'.repeat(43) } });
    const first = await until(nothing);
    bench.front.answerWith(async (request, response) =>
      (request.url?.endsWith('/denied')
        ? json(403, { errors: ['permission denied'] })
        : forwardTo(bench.server.endpoint))(request, response),
    );
    await bench.server.seed({ 'secret/whole': { KEY: 2 } });
    expect(await vault.refresh()).toMatchObject({
      change: { keys: ['KEY'] },
      problems: [{ code: 'VAULT_PERMISSION_DENIED' }],
    });
    const second = await until(first);
    expect(second.at).toBe(first.at);
    bench.front.answerWith(forwardTo(bench.server.endpoint));
    await bench.server.seed({ 'secret/whole': { KEY: 3 } });
    await vault.refresh();
    expect((await until(second)).at).toBeGreaterThan(first.at);
  } finally {
    await bench.closeApplications();
    await rm(file, { force: true });
  }
});

it('a value below a container that the application has replaced is left to it', async () => {
  await bench.server.seed({ 'secret/below': { level: 'info', size: 1 } });
  const { vault, config } = await start({ sources: [{ secretPath: 'below', as: 'pool' }] });
  config.set('pool.level', 'debug');
  for (const size of [2, 3]) {
    await bench.server.seed({ 'secret/below': { level: `warn-${size}`, size } });
    await vault.refresh();
    expect(config.get('pool')).toEqual({ level: 'debug', size });
  }
});

it('containers that the application has frozen do not hold up a change', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const values = (password: string) => ({
    'secret/top': { KEY: password },
    'secret/frozen': { password, [password]: 1 },
  });
  await bench.server.seed(values('one'));
  const frozen = vaultConfig<{ password: string }>('frozen', { secretPath: 'frozen' });
  const sources = [frozen, ...['deep.down', 'own'].map((as) => ({ secretPath: 'frozen', as })), 'top'];
  const { app, vault, config } = await start({ sources });
  const held = Object.freeze(app.get<{ password: string }>(frozen.KEY));
  Object.preventExtensions(Object.seal(config.get<object>('deep.down')));
  Object.defineProperty(config.get<object>('own'), 'password', { writable: false });
  const top = config.get<object>('deep');
  for (const password of ['two', 'three']) {
    await bench.server.seed(values(password));
    expect((await vault.refresh()).problems).toEqual([]);
    const now = { password, [password]: 1 };
    expect(config.get('own')).toEqual({ ...now, password: 'one' });
    expect([config.get('KEY'), config.get('frozen'), config.get('deep.down')]).toEqual([password, now, now]);
  }
  expect([held.password, config.get('deep') === top]).toEqual(['one', true]);
  expect(warn.mock.calls.flat().filter((text) => /frozen by the application/.test(String(text)))).toHaveLength(2);
});

it('a listener of changes$ that throws harms nobody', async () => {
  const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  await bench.server.seed({ 'secret/loud': { KEY: 'one' } });
  const { vault } = await start({ sources: ['loud'] });
  vault.changes$.subscribe(() => {
    throw new TypeError('quotes one');
  });
  await bench.server.seed({ 'secret/loud': { KEY: 'two' } });
  await vault.refresh();
  expect(error.mock.calls.flat().map(String)).toContainEqual(expect.stringMatching(/listener.*TypeError/));
  expect(error.mock.calls.join()).not.toContain('quotes');
});

it('signals during a round do not multiply the rounds', async () => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  await bench.server.seed({ 'secret/calm': { KEY: 'one' } });
  const { vault } = await start({ sources: ['calm'], refresh: { intervalMs: 3_600_000, sighup: true } });
  const timers = jest.spyOn(globalThis, 'setTimeout');
  const cleared = jest.spyOn(globalThis, 'clearTimeout');
  bench.front.answerWith(json(400, { errors: ['no'] }));
  for (let storm = 0; storm < 3; storm++) {
    for (let signal = 0; signal < 20; signal++) process.emit('SIGHUP');
    bench.front.requests.length = 0;
    while (bench.front.requests.length < 1) await new Promise((resolve) => setImmediate(resolve));
  }
  // The last in the queue: by then every round has made its timer.
  await vault.refresh();
  const rounds = timers.mock.results.filter((_, index) => {
    const delay = timers.mock.calls[index]?.[1] ?? 0;
    return delay > 2_800_000 && delay <= 3_600_000;
  });
  const gone = new Set(cleared.mock.calls.map(([timer]) => timer));
  expect(rounds.length).toBeGreaterThan(2);
  expect(rounds.filter(({ value }) => !gone.has(value as NodeJS.Timeout))).toHaveLength(1);
});
