import 'reflect-metadata';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import type { VaultConfigOptions } from '../../lib/index.js';
import { loadVaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { useAppBench } from '../support/app-bench.js';

const bench = useAppBench();
const environment = { ...process.env };

beforeEach(async () => {
  process.env = { ...environment };
  await bench.server.seed({
    'secret/risky': { GRPC_PROXY: 'http://evil.example' },
    'secret/huge': {
      LONG: 'postgres:'.repeat(20_000),
      list: Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`item${i}`, 'x'.repeat(120_000)])),
    },
    'secret/flat': { DATABASE_URL: 'postgres://one', PORT: 5432, OTHER: 'untouched' },
    'secret/mail': { host: 'smtp', auth: { user: 'u1' }, NODE_OPTIONS: '--require /evil.js' },
  });
});

@Injectable()
class Orm {
  readonly url = process.env['DATABASE_URL'];
}

async function start(config: VaultConfigOptions) {
  @Module({
    imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }), VaultModule.forRoot(options(config))],
    providers: [Orm],
  })
  class AppModule {}
  return bench.boot(AppModule);
}

function options(config: VaultConfigOptions) {
  return { endpoint: bench.server.endpoint, auth: { method: 'token', token: bench.server.rootToken } as const, config };
}

const added = (): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(process.env).filter(([name, value]) => environment[name] !== value));
const flat: VaultConfigOptions = { sources: ['flat', { secretPath: 'mail', as: 'mail', keys: ['host', 'auth'] }] };

describe('config.exportToProcessEnv', () => {
  it('writes the keys that are listed, before any provider exists, and takes them back on close', async () => {
    process.env['PORT'] = 'before';
    const app = await start({ ...flat, exportToProcessEnv: ['DATABASE_URL', 'PORT', 'mail.auth.user'] });
    expect(app.get(Orm).url).toBe('postgres://one');
    expect(added()).toEqual({ DATABASE_URL: 'postgres://one', PORT: '5432', MAIL_AUTH_USER: 'u1' });
    // ConfigService has the value as it is in Vault, whatever its text in the environment.
    expect(app.get(ConfigService).get('PORT')).toBe(5432);
    await app.close();
    expect(added()).toEqual({ PORT: 'before' });
  });

  it('writes all, and containers as a whole', async () => {
    const app = await start({ ...flat, exportToProcessEnv: true });
    const mail = { MAIL_HOST: 'smtp', MAIL_AUTH_USER: 'u1' };
    expect(added()).toEqual({ DATABASE_URL: 'postgres://one', PORT: '5432', OTHER: 'untouched', ...mail });
    await app.close();
    expect(added()).toEqual({});
    await start({ ...flat, aliases: 'SCREAMING_CASE', exportToProcessEnv: ['mail'] });
    expect(added()).toEqual(mail);
  });

  it('takes no value that another boot has exported for a variable of its own', async () => {
    process.env['OTHER'] = 'vault:secret/flat#PORT';
    await start({ ...flat, exportToProcessEnv: true });
    await bench.server.seed({ 'secret/flat': { DATABASE_URL: 'postgres://two', PORT: 2, OTHER: 'untouched' } });
    const app = await start({ ...flat, precedence: 'env' });
    const values = ['DATABASE_URL', 'PORT', 'OTHER', 'mail.host'].map((key) =>
      app.get(ConfigService).get<unknown>(key),
    );
    expect(values).toEqual(['postgres://two', 2, 2, 'smtp']);
  });

  it('refuses the objects of a factory that hold themselves, and passes over its functions', async () => {
    const self: Record<string, unknown> = { log: () => undefined, level: 1n };
    const config = { load: [() => ({ self })], exportToProcessEnv: true };
    const app = await start(config);
    expect(added()).toEqual({ SELF_LEVEL: '1' });
    await app.close();
    self['self'] = self;
    await expect(start(config)).rejects.toThrow(/"config.exportToProcessEnv": "self.self" cannot be written as JSON/);
    expect(added()).toEqual({});
  });

  describe('of a value that an inheriting process would take for a reference', () => {
    const HOSTILE = 'https://evil.example/?x=${vault:secret/data/admin#key}';
    const low: VaultConfigOptions = { sources: [{ secretPath: 'low' }, 'flat'] };
    beforeEach(() =>
      bench.server.seed({ 'secret/admin': { key: 'ADMIN-KEY' }, 'secret/low': { WEBHOOK: 'https://a' } }),
    );

    it.each<[string, Record<string, unknown>, VaultConfigOptions]>([
      ['all', { WEBHOOK: HOSTILE }, { exportToProcessEnv: true }],
      ['a key that is listed', { WEBHOOK: ' vault:secret/data/admin#key' }, { exportToProcessEnv: ['WEBHOOK'] }],
      ['objects as JSON', { WEBHOOK: [{ url: HOSTILE }] }, { exportToProcessEnv: ['WEBHOOK'] }],
      ['precedence "env"', { WEBHOOK: HOSTILE }, { exportToProcessEnv: true, precedence: 'env' }],
      ['literal keys', { WEBHOOK: HOSTILE }, { exportToProcessEnv: true, references: { literal: ['WEBHOOK'] } }],
      ['no references', { WEBHOOK: HOSTILE }, { exportToProcessEnv: true, references: false }],
    ])('stops the boot: %s', async (_, secret, config) => {
      await bench.server.seed({ 'secret/low': secret });
      const error = await start({ ...low, ...config }).then(
        () => undefined,
        (thrown: Error) => thrown,
      );
      expect(error).toMatchObject({ code: 'VAULT_CONFIGURATION' });
      expect(error?.message).toContain('"WEBHOOK" holds a text');
      expect(error?.message).not.toMatch(/admin|evil/);
      expect(added()).toEqual({});
    });

    it('keeps the last good values at a refresh', async () => {
      const app = await start({ ...low, exportToProcessEnv: ['WEBHOOK'] });
      await bench.server.seed({ 'secret/low': { WEBHOOK: HOSTILE } });
      const { problems } = await app.get(VaultService).refresh();
      expect(JSON.stringify(problems.map(({ message }) => message))).toContain('WEBHOOK');
      expect(process.env['WEBHOOK']).toBe('https://a');
      expect(app.get(ConfigService).get('WEBHOOK')).toBe('https://a');
    });
  });

  it('writes nothing unless it is asked to', async () => {
    await start(flat);
    await start({ ...flat, exportToProcessEnv: false });
    expect(added()).toEqual({});
  });

  it('keeps them current: who is told of a change finds it there; what is gone gets back what it had', async () => {
    process.env['OTHER'] = 'before';
    const app = await start({ ...flat, exportToProcessEnv: true });
    const seen: unknown[] = [];
    app.get(ConfigService).changes$.subscribe(() => seen.push(process.env['DATABASE_URL']));
    await bench.server.seed({ 'secret/flat': { DATABASE_URL: 'postgres://two', PORT: 5432 } });
    await app.get(VaultService).refresh();
    expect([...new Set(seen)]).toEqual(['postgres://two']);
    expect([process.env['DATABASE_URL'], process.env['OTHER']]).toEqual(['postgres://two', 'before']);
    process.env['DATABASE_URL'] = 'of the application';
    await app.close();
    expect(added()).toEqual({ OTHER: 'before', DATABASE_URL: 'of the application' });
  });

  it('leaves alone a variable that wins over Vault', async () => {
    process.env['DATABASE_URL'] = 'postgres://local';
    await start({ ...flat, precedence: 'env', exportToProcessEnv: ['DATABASE_URL'] });
    expect(added()).toEqual({ DATABASE_URL: 'postgres://local' });
  });

  it('of two applications that want the same one, the one that closes leaves it to the other', async () => {
    process.env['PORT'] = 'before';
    const config: VaultConfigOptions = { ...flat, exportToProcessEnv: ['PORT', 'DATABASE_URL'] };
    const [first, second, third] = [await start(config), await start(config), await start(config)];
    await third.close();
    expect(added()).toEqual({ PORT: '5432', DATABASE_URL: 'postgres://one' });
    await bench.server.seed({ 'secret/flat': { DATABASE_URL: 'postgres://two', PORT: 5433 } });
    await second.get(VaultService).refresh();
    expect(added()).toEqual({ PORT: '5433', DATABASE_URL: 'postgres://two' });
    await second.close();
    expect(added()).toEqual({ PORT: '5432', DATABASE_URL: 'postgres://one' });
    await first.close();
    expect(added()).toEqual({ PORT: 'before' });
  });

  it.each<[string, VaultConfigOptions, RegExp]>([
    ['runs code', { sources: ['mail'], exportToProcessEnv: true }, /NODE_OPTIONS changes how programs run/],
    ['a proxy would receive', { sources: ['risky'], exportToProcessEnv: true }, /GRPC_PROXY changes how programs run/],
    [
      'is too long for a process',
      { sources: ['huge'], exportToProcessEnv: ['LONG'] },
      /LONG would be longer than 131070 bytes/,
    ],
    [
      'is too much together with the others',
      { sources: ['huge'], exportToProcessEnv: ['list'] },
      /larger than 1048576 bytes together/,
    ],
    [
      'is no key',
      { sources: ['flat'], exportToProcessEnv: ['DATABSE_URL'] },
      /names "DATABSE_URL", which is not a configuration key/,
    ],
    [
      'is no name',
      { sources: [{ secretPath: 'flat', prefix: '-' }], exportToProcessEnv: true },
      /"-PORT" is not a name/,
    ],
    [
      'has a name twice',
      { sources: ['flat', { secretPath: 'mail', map: { host: 'database.url' } }], exportToProcessEnv: ['DATABASE_URL', 'database'] }, // prettier-ignore
      /"DATABASE_URL" and "database\.url" would both be|would both be DATABASE_URL/,
    ],
  ])('stops the boot for a value that %s, and quotes none', async (_, config, message) => {
    const outcome = await start(config).then(
      () => 'it booted',
      (error: unknown) => error,
    );
    expect(outcome).toMatchObject({ code: 'VAULT_CONFIGURATION', message: expect.stringMatching(message) as unknown });
    expect((outcome as Error).message).not.toMatch(/evil|postgres:/);
    expect(added()).toEqual({});
  });

  it('takes a name that changes how programs run when the developer lists it', async () => {
    await start({ sources: ['mail'], exportToProcessEnv: ['NODE_OPTIONS'] });
    expect(added()).toEqual({ NODE_OPTIONS: '--require /evil.js' });
  });

  it('refuses new values that cannot be written, and keeps the old ones', async () => {
    const app = await start({ ...flat, exportToProcessEnv: ['DATABASE_URL'] });
    await bench.server.seed({ 'secret/flat': { DATABASE_URL: 'a\0b' } });
    const { change, problems } = await app.get(VaultService).refresh();
    expect([change, problems.map(({ message }) => message)]).toEqual([undefined, [expect.stringContaining('NUL')]]);
    expect([process.env['DATABASE_URL'], app.get(ConfigService).get('DATABASE_URL')]).toEqual(Array(2).fill('postgres://one')); // prettier-ignore
  });

  it('is for loadVaultConfig too, where they stay', async () => {
    await loadVaultConfig(options({ ...flat, exportToProcessEnv: ['DATABASE_URL'] }));
    expect(added()).toEqual({ DATABASE_URL: 'postgres://one' });
  });
});
