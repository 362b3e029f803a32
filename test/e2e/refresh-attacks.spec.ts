import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { Logger, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { LazyModuleLoader } from '@nestjs/core';
import { z } from 'zod';
import type { VaultConfigNamespace, VaultModuleOptions } from '../../lib/index.js';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';
import type { FaultServer } from '../support/fault-server.js';
import { forwardTo, json, startFaultServer } from '../support/fault-server.js';

let server: VaultServer;
let front: FaultServer;
const open: INestApplicationContext[] = [];

beforeAll(async () => {
  server = await startVaultServer();
  front = await startFaultServer(forwardTo(server.endpoint));
});
afterAll(async () => {
  await front.close();
  await server.stop();
});
beforeEach(() => front.answerWith(forwardTo(server.endpoint)));
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
  jest.restoreAllMocks();
});

async function start(
  config: NonNullable<VaultModuleOptions['config']>,
  { features = [], name }: { features?: VaultConfigNamespace<object>[]; name?: string } = {},
) {
  @Module({
    imports: [
      ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
      VaultModule.forRoot(
        { endpoint: front.endpoint, auth: { method: 'token', token: server.rootToken }, config },
        name === undefined ? {} : { name },
      ),
      VaultModule.forFeature(...features),
    ],
  })
  class AppModule {}
  const app = await bootApplication(AppModule);
  open.push(app);
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
    await server.seed({ 'secret/payments': { limit: 10 } });
    const payments = vaultConfig('payments', {
      secretPath: 'payments',
      vault: 'rejecting',
      schema: z.object({ limit: z.number() }),
    });
    const { app, vault } = await start({}, { features: [payments], name: 'rejecting' });
    const values = app.get<object>(payments.KEY, { strict: false });
    await server.seed({ 'secret/payments': { limit: 'many' } });
    const { change, problems } = await vault.refresh();
    expect(change).toBeUndefined();
    expect(problems).toMatchObject([{ code: 'VAULT_CONFIGURATION' }]);
    expect(values).toEqual({ limit: 10 });
    await server.seed({ 'secret/payments': { limit: 20 } });
    expect((await vault.refresh()).problems).toEqual([]);
    expect(values).toEqual({ limit: 20 });
  });

  it('is not lost to a refresh that began before it was loaded', async () => {
    await server.seed({ 'secret/base': { KEY: 'one' }, 'secret/late': { on: true } });
    const late = vaultConfig('late', { secretPath: 'late', vault: 'racing' });
    const { vault, lazy, config } = await start({ sources: ['base'] }, { name: 'racing' });
    await server.seed({ 'secret/base': { KEY: 'two' } });
    let answer = (): void => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    const asked = new Promise<void>((resolve) => {
      front.answerWith(async (request, response) => {
        if (request.url?.includes('/base')) {
          resolve();
          await held;
        }
        return forwardTo(server.endpoint)(request, response);
      });
    });
    const refreshed = vault.refresh();
    await asked;
    const values = await loadLater(lazy, late);
    answer();
    expect((await refreshed).change?.keys).toEqual(['KEY']);
    expect([values, config.get('late.on')]).toEqual([{ on: true }, true]);
  });

  it('that failed at boot is read anew by a module that is loaded later', async () => {
    const flaky = vaultConfig('flaky', { secretPath: 'flaky', vault: 'recovering' });
    VaultModule.forFeature(flaky);
    const { lazy } = await start({}, { name: 'recovering' });
    await server.seed({ 'secret/flaky': { on: true } });
    expect(await loadLater(lazy, flaky)).toEqual({ on: true });
  });
});

it('a listener of changes$ that throws harms nobody', async () => {
  const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  await server.seed({ 'secret/loud': { KEY: 'one' } });
  const { vault } = await start({ sources: ['loud'] });
  vault.changes$.subscribe(() => {
    throw new TypeError('quotes one');
  });
  await server.seed({ 'secret/loud': { KEY: 'two' } });
  await vault.refresh();
  expect(error.mock.calls.flat().map(String)).toContainEqual(expect.stringMatching(/listener.*TypeError/));
  expect(error.mock.calls.join()).not.toContain('quotes');
});

it('signals during a round do not multiply the rounds', async () => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  await server.seed({ 'secret/calm': { KEY: 'one' } });
  const { vault } = await start({ sources: ['calm'], refresh: { intervalMs: 1_000, sighup: true } });
  const timers = jest.spyOn(globalThis, 'setTimeout');
  const cleared = jest.spyOn(globalThis, 'clearTimeout');
  front.answerWith(json(400, { errors: ['no'] }));
  for (let storm = 0; storm < 3; storm++) {
    for (let signal = 0; signal < 20; signal++) process.emit('SIGHUP');
    front.requests.length = 0;
    while (front.requests.length < 1) await new Promise((resolve) => setImmediate(resolve));
  }
  // The last in the queue: by then every round has made its timer.
  await vault.refresh();
  const rounds = timers.mock.results.filter((_, index) => {
    const delay = timers.mock.calls[index]?.[1] ?? 0;
    return delay > 790 && delay <= 1_000;
  });
  const gone = new Set(cleared.mock.calls.map(([timer]) => timer));
  expect(rounds.length).toBeGreaterThan(2);
  expect(rounds.filter(({ value }) => !gone.has(value as NodeJS.Timeout))).toHaveLength(1);
});
