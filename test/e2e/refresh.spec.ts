import 'reflect-metadata';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Inject, Injectable, Logger, Module } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { firstValueFrom } from 'rxjs';
import { z } from 'zod';
import type { VaultConfigChange, VaultModuleOptions } from '../../lib/index.js';
import { OnVaultChange, vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { useAppBench } from '../support/app-bench.js';
import { runStorm } from '../support/rotation-storm.js';
import { forwardTo, json } from '../support/fault-server.js';

const databaseConfig = vaultConfig('database', {
  secretPath: 'database',
  schema: z.object({ username: z.string(), password: z.string().min(3), port: z.coerce.number().default(5432) }),
});

const bench = useAppBench();

beforeEach(async () => {
  const { server } = bench;
  await server.request('DELETE', 'secret/metadata/database');
  await server.request('DELETE', 'secret/metadata/extra');
  await write({ username: 'u1', password: 'pw-1' });
  await server.seed({ 'secret/flat': { API_KEY: 'key-1', GONE: 'soon', nested: { a: 1, b: [1, 2] } } });
});

async function write(data: object): Promise<void> {
  await bench.server.request('POST', 'secret/data/database', { data });
}

@Injectable()
class Consumer {
  readonly calls: [string, VaultConfigChange][] = [];
  constructor(
    @Inject(databaseConfig.KEY) readonly database: ConfigType<typeof databaseConfig>,
    readonly config: ConfigService,
    readonly vault: VaultService,
  ) {}

  @OnVaultChange('database')
  onDatabase(change: VaultConfigChange): void {
    this.calls.push(['database', change]);
  }

  @OnVaultChange('database.password')
  async onPassword(change: VaultConfigChange): Promise<void> {
    this.calls.push(['password', change]);
    await Promise.reject(new TypeError('pw-2 in a message'));
  }

  @OnVaultChange('data')
  onSomethingElse(): void {
    throw new Error('a name that merely begins alike');
  }

  @OnVaultChange('nested.a')
  onPart(change: VaultConfigChange): void {
    this.calls.push(['part', change]);
  }

  @OnVaultChange()
  onAny(change: VaultConfigChange): void {
    this.calls.push(['any', change]);
  }
}

async function start(config: Partial<NonNullable<VaultModuleOptions['config']>> = {}): Promise<Consumer> {
  @Module({
    imports: [
      ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, cache: true }),
      VaultModule.forRoot({
        endpoint: bench.front.endpoint,
        auth: { method: 'token', token: bench.server.rootToken },
        request: { timeoutMs: 2_000 },
        config: {
          sources: config.sources
            ? [...config.sources, databaseConfig]
            : ['flat', databaseConfig, { secretPath: 'extra', optional: true, as: 'extra' }],
          ...(config.refresh && { refresh: config.refresh }),
        },
      }),
    ],
    providers: [Consumer],
  })
  class AppModule {}
  const app = await bench.boot(AppModule);
  return app.get(Consumer);
}

describe('refresh()', () => {
  it('brings new values to everything that was handed out, and tells what changed', async () => {
    const { vault, config, database, calls } = await start();
    const flat = config.get<object>('nested');
    const events: unknown[] = [];
    config.changes$.subscribe((event) => events.push([event.path, config.get('database.username')]));
    const told = firstValueFrom(vault.changes$);
    await write({ username: 'u2', password: 'pw-2', port: '6000' });
    await bench.server.seed({ 'secret/flat': { API_KEY: 'key-2', nested: { a: 1, b: [1, 2] } } });
    const before = { ...process.env };

    const { change, problems } = await vault.refresh();

    expect(problems).toEqual([]);
    expect([...(change?.keys ?? [])].sort()).toEqual(['API_KEY', 'GONE', 'database.password', 'database.port', 'database.username']); // prettier-ignore
    expect(change?.secrets).toEqual(
      expect.arrayContaining([{ mountPath: 'secret', secretPath: 'database', from: 1, to: 2 }]),
    );
    expect(await told).toBe(change);
    expect(database).toEqual({ username: 'u2', password: 'pw-2', port: 6000 });
    expect(config.get('database')).toBe(database);
    expect(config.get('API_KEY')).toBe('key-2');
    expect(config.get('GONE')).toBeUndefined();
    expect(config.get('nested')).toBe(flat);
    // Whoever is told of the first key finds all of them changed.
    expect(events).toContainEqual(['API_KEY', 'u2']);
    expect(calls.map(([name]) => name).sort()).toEqual(['any', 'database', 'password']);
    expect(process.env).toEqual(before);
    expect(vault.explain('database.password')).toMatchObject({ version: 2 });
    expect(JSON.stringify([change, vault.origins()])).not.toMatch(/pw-|key-/);
  });

  it('tells who listens to a part of a value, which changes as a whole', async () => {
    const { vault, calls } = await start();
    await bench.server.seed({ 'secret/flat': { API_KEY: 'key-1', nested: { a: 2, b: [1, 2] } } });
    expect((await vault.refresh()).change?.keys).toContain('nested');
    expect(calls.map(([name]) => name)).toContain('part');
  });

  it('changes nothing when nothing is new, and costs one request a secret', async () => {
    const { vault, calls } = await start();
    bench.front.requests.length = 0;
    expect(await vault.refresh()).toEqual({ change: undefined, problems: [] });
    expect(bench.front.requests.map(({ url }) => url).sort()).toEqual([
      '/v1/secret/data/database',
      '/v1/secret/data/extra',
      '/v1/secret/data/flat',
    ]);
    expect(calls).toEqual([]);
  });

  it('keeps the old set when the new one does not fit its schema', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const { vault, database, config } = await start();
    await write({ username: 'u2', password: 'x' });
    await bench.server.seed({ 'secret/flat': { API_KEY: 'key-2' } });
    for (let round = 0; round < 3; round++) {
      const { change, problems } = await vault.refresh();
      expect(change).toBeUndefined();
      expect(problems).toMatchObject([{ code: 'VAULT_CONFIGURATION' }]);
    }
    expect(database).toEqual({ username: 'u1', password: 'pw-1', port: 5432 });
    expect(config.get('API_KEY')).toBe('key-1');
    expect(warn).toHaveBeenCalledTimes(1);
    await write({ username: 'u3', password: 'pw-3' });
    expect((await vault.refresh()).problems).toEqual([]);
    expect([database.username, config.get('API_KEY')]).toEqual(['u3', 'key-2']);
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ['is deleted', () => bench.server.request('DELETE', 'secret/data/database'), 'VAULT_DELETED_VERSION'],
    ['is gone', () => bench.server.request('DELETE', 'secret/metadata/database'), 'VAULT_NOT_FOUND'],
    ['is denied', () => Promise.resolve(bench.front.answerWith(json(403, { errors: ['1 error occurred:\n\t* permission denied\n\n'] }))), 'VAULT_PERMISSION_DENIED'], // prettier-ignore
    ['is on a server that is sealed', () => Promise.resolve(bench.front.answerWith(json(503, { errors: ['Vault is sealed'] }))), 'VAULT_SEALED'], // prettier-ignore
  ])('keeps the last good values when a path %s', async (_what, fault, code) => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const { vault, database, config } = await start();
    await fault();
    const { change, problems } = await vault.refresh();
    expect(change).toBeUndefined();
    expect(problems).toContainEqual(expect.objectContaining({ code }));
    expect(database.password).toBe('pw-1');
    expect(config.get('API_KEY')).toBe('key-1');
    expect(String(warn.mock.calls[0]?.[0])).toContain('stays as it was');
  });

  it('takes in an optional secret that comes later', async () => {
    const { vault, config } = await start();
    expect(config.get('extra')).toBeUndefined();
    await bench.server.seed({ 'secret/extra': { on: true } });
    expect((await vault.refresh()).change?.keys).toEqual(['extra.on']);
    expect(config.get('extra.on')).toBe(true);
  });

  it('never gives a caller what was read before it asked', async () => {
    const { vault, database } = await start();
    for (let round = 2; round < 12; round++) {
      const first = vault.refresh();
      await write({ username: `u${round}`, password: `pw-${round}` });
      await Promise.all([vault.refresh(), vault.refresh(), first]);
      expect(database.username).toBe(`u${round}`);
    }
  });

  it('leaves alone what the application has replaced', async () => {
    const { vault, config } = await start();
    config.set(['API_KEY'] as never, 'mine' as never);
    await bench.server.seed({ 'secret/flat': { API_KEY: 'key-2' } });
    await vault.refresh();
    expect(config.get('API_KEY')).toBe('mine');
  });

  it('ends with the application', async () => {
    const { vault } = await start({ refresh: { intervalMs: 50 } });
    let completed = false;
    vault.changes$.subscribe({ complete: () => (completed = true) });
    await bench.closeApplications();
    expect(completed).toBe(true);
    await expect(vault.refresh()).rejects.toMatchObject({ code: 'VAULT_CLOSED' });
    expect(process.listenerCount('SIGHUP')).toBe(0);
  });
});

describe('refresh on its own', () => {
  it('comes round, goes on after failures, and on SIGHUP', async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const { vault, database } = await start({ refresh: { intervalMs: 50, sighup: true } });
    // Subscribed before there is anything to tell: a round may be over before the answer to the write is here.
    let changed = firstValueFrom(vault.changes$);
    await write({ username: 'u2', password: 'pw-2' });
    await changed;
    expect(database.username).toBe('u2');

    bench.front.answerWith(json(503, { errors: ['Vault is sealed'] }));
    bench.front.requests.length = 0;
    await bench.front.until(() => bench.front.requests.length >= 6);
    expect(database.username).toBe('u2');
    bench.front.answerWith(forwardTo(bench.server.endpoint));
    changed = firstValueFrom(vault.changes$);
    await write({ username: 'u3', password: 'pw-3' });
    process.emit('SIGHUP');
    await changed;
    expect(database.username).toBe('u3');
  });

  it.each(['before the start', 'after the start'])(
    'warns when shutdown hooks take SIGHUP as well: %s',
    async (when) => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
      // Nest sends the signal once more when it has closed the application.
      const ended = new Promise((resolve) => jest.spyOn(process, 'kill').mockImplementation(() => (resolve(0), true)));
      const app = await Test.createTestingModule({
        imports: [
          VaultModule.forRoot({
            endpoint: bench.front.endpoint,
            auth: { method: 'token', token: bench.server.rootToken },
            config: { sources: ['flat'], refresh: { sighup: true } },
          }),
        ],
      }).compile();
      if (when === 'after the start') await app.init();
      app.enableShutdownHooks();
      await app.init();
      const told = () =>
        warn.mock.calls.filter(([text]) => /enableShutdownHooks\(\['SIGTERM'/.test(String(text))).length;
      const early = told();
      process.emit('SIGHUP');
      await ended;
      expect([early, told() > 0]).toEqual([when === 'before the start' ? 1 : 0, true]);
    },
  );

  it('never shows half of two versions in a storm of rotations', async () => {
    const consumer = await start({ refresh: { intervalMs: 50 } });
    const { torn, reads, written, last } = await runStorm(consumer, {
      seconds: 3,
      versions: 11,
      everyMs: 0,
      write: (round) => write({ username: `u${round}`, password: `pw-${round}` }),
    });
    expect(torn).toBe(0);
    expect(reads).toBeGreaterThan(1000);
    expect(last).toBe(`u${written + 1}`);
  });
});

describe('wrong refresh options', () => {
  it.each([
    [{ intervalMs: 0 }],
    [{ intervalMs: 49 }],
    [{ intervalMs: '5m' }],
    [{ intervalMs: 100, sighup: 'yes' }],
    [{ every: 5 }],
    [7],
  ])('%j', async (refresh) => {
    await expect(start({ refresh: refresh as never })).rejects.toMatchObject({
      code: 'VAULT_INVALID_OPTION',
      message: expect.stringContaining('config.refresh') as unknown,
    });
  });
});
