import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import { LazyModuleLoader } from '@nestjs/core';
import { z } from 'zod';
import type { VaultModuleOptions } from '../../lib/index.js';
import { getVaultToken, loadVaultConfig, vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { bootApplication } from '../support/boot-application.js';

const open: INestApplicationContext[] = [];
const variables: string[] = [];
let names = 0;
const fresh = () => `disabled${++names}`;

afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
  for (const name of variables.splice(0)) delete process.env[name];
});

function set(name: string, value: string): void {
  process.env[name] = value;
  variables.push(name);
}

type Imports = NonNullable<DynamicModule['imports']>;

async function start(options: VaultModuleOptions, imports: Imports = [], name?: string) {
  const vault = VaultModule.forRoot(options, name === undefined ? {} : { name });
  const config = ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true });
  const app = await bootApplication({ module: class AppModule {}, imports: [config, ...imports, vault] });
  open.push(app);
  return { app, config: app.get(ConfigService) };
}

const DISABLED = { code: 'VAULT_DISABLED', retryable: false };
/** Everything about Vault is wrong, so that whatever is used of it would fail. */
const production: VaultModuleOptions = {
  endpoint: 'http://127.0.0.1:1',
  auth: { method: 'approle', roleId: { env: 'NOT_SET' }, secretId: { file: '/not/there' } },
  unseal: { keys: ['x'] },
  config: {
    sources: ['app', { secretPath: 'mail', as: 'mail', files: ['KEY'] }],
    layout: { application: 'app' },
    schema: z.object({ PASSWORD: z.string() }),
    refresh: { intervalMs: 1_000 },
    snapshot: { file: '/not/there', key: 'x'.repeat(64) },
  },
};

describe('a disabled module', () => {
  it.each(['option', 'variable'])('boots without Vault, and ConfigService has what it has without: %s', async (how) => {
    set('PASSWORD', 'of the laptop');
    if (how === 'variable') set('NESTJS_VAULT_ENABLED', 'false');
    const { app, config } = await start({ ...production, ...(how === 'option' && { enabled: false }) });
    expect(config.get('PASSWORD')).toBe('of the laptop');
    expect(config.get('mail.KEY')).toBeUndefined();
    expect(app.get(VaultService).origins()).toEqual([]);
  });

  it('needs no options at all', async () => {
    const { app } = await start({ enabled: false });
    expect(app.get(VaultService).degraded).toBeUndefined();
  });

  it('has a service whose methods all reject with VAULT_DISABLED, also with a name', async () => {
    const { app } = await start({ enabled: false }, [], 'second');
    const vault = app.get<VaultService>(getVaultToken('second'));
    const calls: (() => Promise<unknown>)[] = [
      () => vault.kv().read('a'),
      () => vault.kv1('b').read('a'),
      () => vault.read('a/b'),
      () => vault.write('a/b', {}),
      () => vault.list('a'),
      () => vault.delete('a/b'),
      () => vault.refresh(),
      () => vault.session.relogin(),
      () => vault.sys.health(),
      () => vault.sys.sealStatus(),
      () => vault.sys.unseal(['key'], { endpoints: ['http://127.0.0.1:1'] }),
      () => vault.client.read('a/b') as Promise<unknown>,
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject(DISABLED);
  });

  it('still runs the factories of config.load', async () => {
    const mail = registerAs('mail', () => ({ host: 'localhost' }));
    const { config } = await start({ enabled: false, config: { load: [mail, () => ({ FLAT: 1 })] } });
    expect([config.get('mail.host'), config.get('FLAT')]).toEqual(['localhost', 1]);
  });

  it('takes the default of a reference', async () => {
    set('WITH_DEFAULT', 'vault:secret/data/app#a?fallback');
    const load = [() => ({ made: 'vault:secret/data/app#b?other' })];
    const { config } = await start({ enabled: false, config: { load } });
    expect([config.get('WITH_DEFAULT'), config.get('made')]).toEqual(['fallback', 'other']);
  });

  it('never lets a reference reach the application as text: it stops the boot, which names all of them', async () => {
    set('FIRST', 'vault:secret/data/app#a');
    set('SECOND', 'postgres://${vault:secret/data/db#user}@db');
    await expect(start({ enabled: false })).rejects.toMatchObject({
      code: 'VAULT_CONFIGURATION',
      message: expect.stringMatching(/(?=[^]*FIRST)(?=[^]*SECOND)(?=[^]*disabled)/) as unknown,
    });
    const literal = { references: { literal: ['FIRST', 'SECOND'] } };
    const { config } = await start({ enabled: false, config: literal });
    expect(config.get('FIRST')).toBe('vault:secret/data/app#a');
    const load = [() => ({ made: { third: 'vault:secret/data/app#c' } })];
    await expect(start({ enabled: false, config: { ...literal, load } })).rejects.toMatchObject({
      code: 'VAULT_CONFIGURATION',
      message: expect.stringMatching(/disabled/) as unknown,
    });
  });

  it('gives namespaces the defaults of their schema, in "sources", in features and in lazy modules', async () => {
    const schema = z.object({ host: z.string().default('localhost') });
    const make = () => vaultConfig(fresh(), { secretPath: 'x', schema });
    const [listed, early] = [make(), make()];
    class Feature {}
    const feature = { module: Feature, imports: [VaultModule.forFeature(early)] };
    const { app, config } = await start({ enabled: false, config: { sources: [listed] } }, [feature]);
    const late = make();
    class Late {}
    await app.get(LazyModuleLoader).load(() => ({ module: Late, imports: [VaultModule.forFeature(late)] }));
    expect([listed(), early(), late()]).toEqual(Array(3).fill({ host: 'localhost' }));
    expect(config.get(`disabled${names}.host`)).toBe('localhost');
  });

  it.each([
    ['a schema without a default', z.object({ password: z.string() }), /password/],
    ['no schema', undefined, /disabled/],
  ])('refuses a namespace with %s', async (_, schema, reason) => {
    const vault = fresh();
    const options = { secretPath: 'x', vault, ...(schema && { schema }) };
    const listed = vaultConfig(fresh(), options as never);
    const message = expect.stringMatching(reason) as unknown;
    await expect(start({ enabled: false, config: { sources: [listed] } }, [], vault)).rejects.toMatchObject({
      message,
    });
    class Feature {}
    const feature = { module: Feature, imports: [VaultModule.forFeature(vaultConfig(fresh(), options as never))] };
    await expect(start({ enabled: false }, [feature], vault)).rejects.toMatchObject({ message });
  });

  it('is disabled outside Nest too', async () => {
    set('NESTJS_VAULT_ENABLED', '0');
    const config = { sources: ['x'], load: [() => ({ A: 1 })] };
    expect(await loadVaultConfig({ ...production, config })).toEqual({ A: 1 });
  });
});

it.each(['no', 'FALSE ', 'off', '2'])(
  'NESTJS_VAULT_ENABLED=%j is understood or refused, never ignored',
  async (text) => {
    set('NESTJS_VAULT_ENABLED', text);
    const outcome = start({});
    if (text === 'FALSE ') return void (await outcome);
    await expect(outcome).rejects.toMatchObject({
      code: 'VAULT_INVALID_OPTION',
      message: expect.stringContaining('NESTJS_VAULT_ENABLED') as unknown,
    });
  },
);

it('"enabled" takes nothing but true and false, and wins over the variable', async () => {
  await expect(start({ enabled: 'false' } as never)).rejects.toMatchObject({ code: 'VAULT_INVALID_OPTION' });
  set('NESTJS_VAULT_ENABLED', 'false');
  await expect(start({ ...production, enabled: true, boot: { timeoutMs: 500 } })).rejects.not.toMatchObject(DISABLED);
});
