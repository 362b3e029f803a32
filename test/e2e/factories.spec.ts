import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import type { ConfigFactory } from '@nestjs/config';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import { z } from 'zod';
import type { VaultConfigOptions } from '../../lib/index.js';
import { loadVaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { useAppBench } from '../support/app-bench.js';
import { gate } from '../support/boot-application.js';
import { renderError } from '../support/render-error.js';

const bench = useAppBench();
const environment = { ...process.env };
const PASSWORD = 'pass-word/of:secret';

beforeEach(async () => {
  await bench.server.seed({
    'secret/app': {
      PW: PASSWORD,
      PORT: 5432,
      KEY: Buffer.from('pem').toString('base64'),
      OPTIONS: { pool: { max: 3 } },
      SHORT: 'abc',
    },
    'secret/other': { TOKEN: 'token-of-other' },
  });
  process.env = { ...environment };
  process.env['PW'] = 'vault:secret/app#PW';
});
afterEach(() => {
  process.env = { ...environment };
});

function options(config: VaultConfigOptions) {
  return { endpoint: bench.front.endpoint, auth: { method: 'token', token: bench.server.rootToken } as const, config };
}

async function start(config: VaultConfigOptions) {
  @Module({
    imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }), VaultModule.forRoot(options(config))],
  })
  class AppModule {}
  return bench.boot(AppModule);
}

const loaded = async (factory: ConfigFactory | ConfigFactory[], config: VaultConfigOptions = {}) =>
  (await start({ ...config, load: [factory].flat() })).get(ConfigService);

const failure = (factory: ConfigFactory, config: VaultConfigOptions = {}): Promise<Error> =>
  start({ ...config, load: [factory] }).then(
    () => {
      throw new Error('It booted.');
    },
    (error: Error) => error,
  );

describe('factories in config.load', () => {
  it.each<[string, () => unknown, unknown]>([
    ['builds a URL', () => `postgres://app:${encodeURIComponent(process.env['PW'] ?? '')}@db/app`, 'postgres://app:pass-word%2Fof%3Asecret@db/app'], // prettier-ignore
    ['decodes base64', () => Buffer.from(process.env['KEY'] ?? '', 'base64').toString(), 'pem'],
    ['parses JSON', () => (JSON.parse(process.env['OPTIONS'] ?? '') as { pool: object }).pool, { max: 3 }],
    ['parses a number', () => parseInt(process.env['PORT'] ?? '', 10), 5432],
    ['transforms', () => process.env['PW']?.toUpperCase(), PASSWORD.toUpperCase()],
    ['spreads the environment', () => ({ ...process.env })['PW'], PASSWORD],
    ['validates with a schema', () => z.object({ PORT: z.coerce.number() }).parse(process.env).PORT, 5432],
    ['passes it on', () => process.env['PW'], PASSWORD],
  ])('see values in process.env: one that %s', async (_, make, expected) => {
    for (const name of ['KEY', 'OPTIONS', 'PORT']) process.env[name] = `vault:secret/app#${name}`;
    const before = { ...process.env };
    expect((await loaded(() => ({ made: make() }))).get('made')).toEqual(expected);
    expect(process.env).toEqual(before);
  });

  it('see values in instances of classes, in registerAs, and across an await', async () => {
    class Settings {
      readonly password = process.env['PW'];
    }
    const settings = registerAs('settings', () => new Settings() as unknown as Record<string, unknown>);
    const slow = async () => {
      const early = process.env['PW'];
      await new Promise((resolve) => setImmediate(resolve));
      return { early, late: process.env['PW'] };
    };
    const config = await loaded([settings, slow]);
    expect([config.get('settings.password'), config.get('early'), config.get('late')]).toEqual(Array(3).fill(PASSWORD));
    expect(process.env['PW']).toBe('vault:secret/app#PW');
  });

  it('judge the value: guards fire, rules hold, and process.env is restored however they throw', async () => {
    process.env['SHORT'] = 'vault:secret/app#SHORT';
    const guard = () => {
      if (process.env['PW'] === PASSWORD) throw new Error('guarded');
      return {};
    };
    const rule = () => z.object({ SHORT: z.string().min(25) }).parse(process.env);
    const late = async () => {
      await Promise.resolve();
      return guard();
    };
    expect((await failure(guard)).message).toBe('guarded');
    expect((await failure(late)).message).toBe('guarded');
    expect((await failure(rule)).message).toContain('SHORT');
    expect([process.env['PW'], process.env['SHORT']]).toEqual(['vault:secret/app#PW', 'vault:secret/app#SHORT']);
  });

  it('keep what they change in process.env themselves', async () => {
    const factory = () => {
      const made = { PW: process.env['PW'], OTHER: process.env['OTHER'] };
      delete process.env['PW'];
      process.env['OTHER'] = 'of the factory';
      return made;
    };
    process.env['OTHER'] = 'vault:secret/other#TOKEN';
    await loaded(factory);
    expect([process.env['PW'], process.env['OTHER']]).toEqual([undefined, 'of the factory']);
  });

  it('see what is exported from sources, and with "references" only variables that hold references', async () => {
    const seen: unknown[] = [];
    const factory = () => {
      seen.push([process.env['PW'], process.env['TOKEN'], process.env['PORT']]);
      return { made: 1 };
    };
    const sources = ['other', { secretPath: 'app', keys: ['PORT'] }];
    for (const exportToProcessEnv of [undefined, 'references', ['TOKEN', 'made'], true] as const) {
      const app = await start({ sources, load: [factory], ...(exportToProcessEnv && { exportToProcessEnv }) });
      await app.close();
    }
    expect(seen).toEqual([
      [PASSWORD, undefined, undefined],
      [PASSWORD, undefined, undefined],
      [PASSWORD, 'token-of-other', undefined],
      [PASSWORD, 'token-of-other', '5432'],
    ]);
  });

  it('read references that they make themselves afterwards, and run once', async () => {
    let runs = 0;
    const factory = () => ({ runs: ++runs, own: process.env['PW'], token: 'vault:secret/other#TOKEN' });
    const config = await loaded(factory);
    expect([config.get('runs'), config.get('own'), config.get('token')]).toEqual([1, PASSWORD, 'token-of-other']);
  });

  it('do not run while a variable cannot be resolved', async () => {
    process.env['ABSENT'] = 'vault:secret/absent#key';
    let runs = 0;
    const error = await failure(() => ({ runs: ++runs }));
    expect(error).toMatchObject({ code: 'VAULT_CONFIGURATION', message: expect.stringContaining('ABSENT') as unknown });
    expect(runs).toBe(0);
  });

  it('run for loadVaultConfig too, with references of .env', async () => {
    const values = await loadVaultConfig(options({ load: [() => ({ url: `x:${process.env['PW']}` })] }));
    expect(values['url']).toBe(`x:${PASSWORD}`);
    expect(process.env['PW']).toBe('vault:secret/app#PW');
  });

  it('see the reference with references: false and references.literal', async () => {
    const factory = () => ({ cut: process.env['PW']?.slice(0, 5) });
    expect((await loaded(factory, { references: false })).get('cut')).toBe('vault');
    expect((await loaded(factory, { references: { literal: ['PW'] } })).get('cut')).toBe('vault');
  });

  it('run again when a refresh brings another value, and otherwise not', async () => {
    let runs = 0;
    let fail = false;
    const database = registerAs('database', () => {
      runs += 1;
      if (fail) throw new Error(`no ${process.env['PW']}`);
      return { url: `x:${process.env['PW']}`, token: 'vault:secret/other#TOKEN' };
    });
    const app = await start({ load: [database] });
    const [config, vault] = [app.get(ConfigService), app.get(VaultService)];
    const injected = app.get<{ url: string }>(database.KEY);
    await bench.server.seed({ 'secret/other': { TOKEN: 'second' } });
    await vault.refresh();
    expect([runs, config.get('database.token'), injected.url]).toEqual([1, 'second', `x:${PASSWORD}`]);
    await bench.server.seed({ 'secret/app': { PW: 'rotated' } });
    expect((await vault.refresh()).change?.keys).toEqual(expect.arrayContaining(['database.url', 'PW']));
    expect([runs, config.get('database.url'), injected.url]).toEqual([2, 'x:rotated', 'x:rotated']);
    fail = true;
    await bench.server.seed({ 'secret/app': { PW: 'CANARY-refused' } });
    const { change, problems } = await vault.refresh();
    expect([change, problems.length, config.get('database.url')]).toEqual([undefined, 1, 'x:rotated']);
    expect(renderError(problems[0])).not.toContain('CANARY');
    expect(process.env['PW']).toBe('vault:secret/app#PW');
    fail = false;
    await vault.refresh();
    expect(config.get('database.url')).toBe('x:CANARY-refused');
  });

  it('are explained by the secret where a value is exactly its own, and otherwise not', async () => {
    process.env['SHORT'] = 'vault:secret/app#SHORT';
    process.env['SAME'] = 'token-of-other';
    process.env['TOKEN'] = 'vault:secret/other#TOKEN';
    const load = [() => ({ own: process.env['PW'], url: `x:${process.env['PW']}`, short: 'abc', same: 'token-of-other' })]; // prettier-ignore
    const vault = (await start({ load })).get(VaultService);
    expect(vault.explain('own')).toMatchObject({ secretPath: 'app', version: expect.any(Number) as unknown });
    expect(['url', 'short', 'same'].map((key) => vault.explain(key))).toEqual(Array(3).fill(undefined));
  });

  it('see nothing of a boot that overlaps, and restore nothing of it', async () => {
    process.env['TOKEN'] = 'vault:secret/other#TOKEN';
    const [entered, leave] = [gate(), gate()];
    const seen: unknown[] = [];
    const first = loaded(
      async () => {
        entered.open();
        await leave.opened;
        return { pw: process.env['PW'], token: process.env['TOKEN']?.slice(0, 5) };
      },
      { references: { literal: ['TOKEN'] } },
    );
    await entered.opened;
    const second = loaded(() => {
      seen.push([process.env['PW'], process.env['TOKEN']]);
      return {};
    });
    const third = loaded(
      async () => {
        await new Promise((resolve) => setImmediate(resolve));
        seen.push([process.env['PW'], process.env['TOKEN']]);
        return {};
      },
      { references: false },
    );
    leave.open();
    const config = await first;
    await Promise.all([second, third]);
    expect([config.get('pw'), config.get('token')]).toEqual([PASSWORD, 'vault']);
    expect(seen).toHaveLength(2);
    expect(seen).toEqual(
      expect.arrayContaining([
        [PASSWORD, 'token-of-other'],
        ['vault:secret/app#PW', 'vault:secret/other#TOKEN'],
      ]),
    );
    expect([process.env['PW'], process.env['TOKEN']]).toEqual(['vault:secret/app#PW', 'vault:secret/other#TOKEN']);
  });

  it('may load a configuration themselves', async () => {
    const inner = async () => ({
      inner: await loadVaultConfig(options({ load: [() => ({ own: process.env['PW'] })] })),
    });
    expect((await loaded(inner)).get('inner.own')).toBe(PASSWORD);
    expect(process.env['PW']).toBe('vault:secret/app#PW');
  });

  it('that never end give process.env back when the boot is over', async () => {
    const boot = loadVaultConfig({ ...options({ load: [() => new Promise<never>(() => undefined)] }), boot: { timeoutMs: 500 } }); // prettier-ignore
    await expect(boot).rejects.toMatchObject({ code: 'VAULT_TIMEOUT' });
    expect(process.env['PW']).toBe('vault:secret/app#PW');
    expect((await loaded(() => ({ own: process.env['PW'] }))).get('own')).toBe(PASSWORD);
  });
});

describe('values of secrets that look like references', () => {
  const TARGET = 'vault:secret/other#TOKEN';

  it.each<[string, unknown, (text: string) => unknown]>([
    ['as they are', TARGET, (text) => text],
    ['in a list as JSON', JSON.stringify([TARGET]), (text) => JSON.parse(text) as unknown],
    ['escaped in JSON', '["\\u0076ault:secret/other#TOKEN"]', (text) => JSON.parse(text) as unknown],
    ['in an object', { note: TARGET }, (text) => JSON.parse(text) as unknown],
    ['in base64', Buffer.from(TARGET).toString('base64'), (text) => Buffer.from(text, 'base64').toString()],
    ['in hexadecimal', Buffer.from(TARGET).toString('hex'), (text) => Buffer.from(text, 'hex').toString()],
    ['percent-encoded', encodeURIComponent(TARGET), decodeURIComponent],
    ['in halves', 'vault:secret', (text) => `${text.slice(0, 3)}${text.slice(3)}/other#TOKEN`],
    ['as the path', 'secret/other#TOKEN', (text) => `vault:${text}`],
    ['as the scheme', '${vault', (text) => `pg://${text}:secret/other#TOKEN}@db`],
  ])('are never read by way of a factory: %s', async (_, value, make) => {
    await bench.server.seed({ 'secret/hostile': { value } });
    process.env['HOSTILE'] = 'vault:secret/hostile#value';
    bench.front.requests.length = 0;
    const error = await failure(() => ({ made: make(process.env['HOSTILE'] ?? '') }));
    expect(error).toMatchObject({ code: expect.stringMatching(/VAULT_(CONFIGURATION|INVALID_OPTION)/) as unknown });
    expect(renderError(error)).not.toContain('secret/other');
    expect(bench.front.requests.filter(({ url }) => url.includes('other'))).toEqual([]);
  });
});

describe('exportToProcessEnv: "references"', () => {
  it('replaces the variables that hold references for as long as the application runs, and follows them', async () => {
    process.env['PORT'] = 'vault:secret/app#PORT';
    const file = registerAs('file', () => ({ key: process.env['PW'] }));
    const app = await start({ sources: ['other'], load: [file], exportToProcessEnv: 'references' });
    expect(file()).toEqual({ key: PASSWORD });
    expect([process.env['PORT'], process.env['TOKEN']]).toEqual(['5432', undefined]);
    await bench.server.seed({ 'secret/app': { PW: 'rotated', PORT: 1 } });
    await app.get(VaultService).refresh();
    expect([file().key, process.env['PORT'], app.get(ConfigService).get('file.key')]).toEqual(['rotated', '1', 'rotated']); // prettier-ignore
    await app.close();
    expect([process.env['PW'], process.env['PORT']]).toEqual(['vault:secret/app#PW', 'vault:secret/app#PORT']);
  });

  it('reaches factories that ConfigModule runs itself, also those of forFeature', async () => {
    const file = registerAs('file', () => ({ key: process.env['PW'] }));
    const late = registerAs('late', async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return { key: process.env['PW'] };
    });
    @Module({
      imports: [
        ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [file] }),
        ConfigModule.forFeature(late),
        VaultModule.forRoot(options({ exportToProcessEnv: 'references' })),
      ],
    })
    class AppModule {}
    const app = await bench.boot(AppModule);
    expect([app.get(ConfigService).get('file.key'), app.get(ConfigService).get('late.key')]).toEqual([PASSWORD, PASSWORD]); // prettier-ignore
    expect(app.get<{ key: string }>(file.KEY).key).toBe(PASSWORD);
  });

  it('keeps values and process.env in step with precedence: env', async () => {
    const app = await start({ precedence: 'env', exportToProcessEnv: 'references' });
    await bench.server.seed({ 'secret/app': { PW: 'rotated' } });
    await app.get(VaultService).refresh();
    await bench.server.seed({ 'secret/app': { PW: 'rotated again' } });
    await app.get(VaultService).refresh();
    expect([app.get(ConfigService).get('PW'), process.env['PW']]).toEqual(['rotated again', 'rotated again']);
  });

  it('is refused without references, and for a value that no variable can have', async () => {
    await expect(start({ references: false, exportToProcessEnv: 'references' })).rejects.toMatchObject({ code: 'VAULT_INVALID_OPTION' }); // prettier-ignore
    await expect(start({ exportToProcessEnv: 'everything' as 'references' })).rejects.toMatchObject({ code: 'VAULT_INVALID_OPTION' }); // prettier-ignore
    await bench.server.seed({ 'secret/app': { PW: 'CANARY\0' } });
    const error = await start({ exportToProcessEnv: 'references' }).catch((refused: unknown) => refused);
    expect(error).toMatchObject({ code: 'VAULT_CONFIGURATION' });
    expect(renderError(error)).not.toContain('CANARY');
    expect(process.env['PW']).toBe('vault:secret/app#PW');
  });
});
