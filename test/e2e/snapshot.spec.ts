import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { Inject, Injectable } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { isUnreachable } from '../../lib/boot/boot-diagnostics.js';
import type { VaultModuleOptions } from '../../lib/index.js';
import {
  loadVaultConfig,
  VaultConfigurationError,
  VaultConnectionError,
  VaultModule,
  VaultNotFoundError,
  VaultPermissionError,
  VaultSealedError,
  VaultService,
  VaultTlsError,
} from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { forwardTo, html, startFaultServer } from '../support/fault-server.js';
import { until as untilMet } from '../support/until.js';

const KEY = randomBytes(32).toString('hex');

let server: VaultServer;
let folder: string;
let file: string;
let messages: string[];
const open: INestApplicationContext[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snapshot-e2e-'));
  server = await startVaultServer({ storage: 'file', seal: { shares: 1, threshold: 1 } });
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('PUT', 'sys/policies/acl/app', { policy: 'path "secret/data/app" { capabilities = ["read"] }' });
  await server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_policies: ['app'] });
});
beforeEach(async () => {
  file = join(folder, randomBytes(4).toString('hex'));
  messages = [];
  await server.seed({ 'secret/app': { PASSWORD: 'kept' } });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
  jest.restoreAllMocks();
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

function options(more: VaultModuleOptions = {}): VaultModuleOptions {
  return {
    endpoint: server.endpoint,
    auth: { method: 'userpass', username: 'app', password: 'pw-of-app' },
    config: { sources: ['app', { secretPath: 'app', as: 'mail' }], snapshot: { file, key: KEY } },
    request: { retries: 0 },
    ...more,
  };
}

@Injectable()
class Mailer {
  readonly password: string;
  constructor(@Inject(ConfigService) config: ConfigService) {
    this.password = config.getOrThrow('PASSWORD');
  }
}

async function start(more: VaultModuleOptions = {}): Promise<INestApplicationContext> {
  const keep = (message: unknown) => void messages.push(String(message));
  const app = await NestFactory.createApplicationContext(
    {
      module: class AppModule {},
      imports: [ConfigModule.forRoot({ ignoreEnvFile: true }), VaultModule.forRoot(options(more))],
      providers: [Mailer],
    },
    { abortOnError: false, logger: { log: keep, warn: keep, error: keep, debug: () => undefined } },
  );
  open.push(app);
  return app;
}

/** A boot with Vault, which leaves a snapshot; then Vault has other values. */
async function keepSnapshot(): Promise<void> {
  await (await start()).close();
  await server.seed({ 'secret/app': { PASSWORD: 'changed' } });
  messages = [];
}

const until = (condition: () => boolean | Promise<boolean>): Promise<void> =>
  untilMet(condition, { context: () => messages.join('\n') });

/** Takes the server away and gives it back, in the ways in which that happens. */
const OUTAGES: Record<string, { readonly away: () => unknown; readonly back: () => Promise<unknown> }> = {
  'is dead': {
    away: () => process.kill(server.pid, 'SIGKILL'),
    back: async () => {
      await server.restart();
      await server.unseal();
    },
  },
  'does not answer': {
    away: () => process.kill(server.pid, 'SIGSTOP'),
    back: () => Promise.resolve(process.kill(server.pid, 'SIGCONT')),
  },
  'is sealed': { away: () => server.seal(), back: () => server.unseal() },
};

describe.each(Object.entries(OUTAGES))('when Vault %s', (_, { away, back }) => {
  it('the application starts on its snapshot, says so, and changes over when Vault is back', async () => {
    await keepSnapshot();
    await away();
    const app = await start({ config: { ...options().config, snapshot: { file, key: KEY, waitMs: 500 } } });
    const vault = app.get(VaultService);
    const config = app.get(ConfigService);
    const container = config.get<{ PASSWORD: string }>('mail');
    expect([app.get(Mailer).password, container?.PASSWORD]).toEqual(['kept', 'kept']);
    expect(vault.degraded?.snapshotTakenAt.getTime()).toBeLessThanOrEqual(vault.degraded?.since.getTime() ?? 0);
    expect(vault.degraded?.reason).toContain(server.endpoint);
    expect(vault.explain('PASSWORD')?.loadedAt?.getTime()).toBeLessThan(vault.degraded?.since.getTime() ?? 0);
    expect(messages.filter((message) => message.startsWith('STARTED ON A SNAPSHOT'))).toHaveLength(1);
    expect(messages.join('\n')).toContain(JSON.stringify(file));

    const events: string[] = [];
    vault.events$.subscribe(({ type }) => events.push(type));
    const before = await readFile(file);
    await back();
    await until(() => vault.degraded === undefined);
    await until(() => config.get('PASSWORD') === 'changed');
    expect(container?.PASSWORD).toBe('changed');
    expect(messages.join('\n')).toContain('Vault is back');
    expect(events.filter((type) => type.startsWith('snapshot'))).toEqual(['snapshot-left']);
    expect(vault.session.state).toBe('active');
    expect((await vault.kv().read<{ PASSWORD: string }>('app')).data.PASSWORD).toBe('changed');
    await app.close();
    // What it has now is kept for the next time.
    expect((await readFile(file)).equals(before)).toBe(false);
  });
});

describe('an application on a snapshot that has not logged in, because unsealing comes first,', () => {
  it.each([
    ['is dead', 'VAULT_CONNECTION'],
    ['does not answer', 'VAULT_TIMEOUT'],
  ])('rejects calls with the reason while Vault %s, and serves them when it is back', async (name, code) => {
    const { away, back } = OUTAGES[name] as (typeof OUTAGES)[string];
    await keepSnapshot();
    await away();
    const config = { ...options().config, snapshot: { file, key: KEY, waitMs: 500 } };
    const app = await start({ unseal: { keys: [...server.unsealKeys] }, config });
    const vault = app.get(VaultService);
    await expect(vault.kv().read('app', { timeoutMs: 500 })).rejects.toMatchObject({ code, retryable: true });
    await back();
    expect((await vault.kv().read<{ PASSWORD: string }>('app')).data.PASSWORD).toBe('changed');
  });

  it('logs in for a call while the function for an unseal key does not return', async () => {
    await keepSnapshot();
    const config = { ...options().config, snapshot: { file, key: KEY, waitMs: 100 } };
    const app = await start({ unseal: { keys: [() => new Promise<never>(() => undefined)] }, config });
    const vault = app.get(VaultService);
    expect(vault.degraded).toBeDefined();
    expect((await vault.kv().read<{ PASSWORD: string }>('app')).data.PASSWORD).toBe('changed');
    const { accessor } = vault.session;
    await app.close();
    const lookup = await server.request('POST', 'auth/token/lookup-accessor', { accessor }, { throwOnError: false });
    expect(lookup.status).not.toBe(200);
  });
});

describe('a boot with Vault', () => {
  it('writes the snapshot for its owner; the values are not in it', async () => {
    await (await start()).close();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readFile(file)).toString('latin1')).not.toContain('kept');
    expect(messages.join('\n')).not.toContain('SNAPSHOT');
  });

  it('keeps it current: with every change, and when a refresh finds that nothing has changed', async () => {
    const app = await start({ config: { sources: ['app'], snapshot: { file, key: KEY, maxAgeMs: 10 } } });
    const vault = app.get(VaultService);
    for (const change of [undefined, { 'secret/app': { PASSWORD: 'newer' } }]) {
      await until(async () => (await stat(file).catch(() => undefined)) !== undefined);
      const before = await readFile(file);
      if (change) await server.seed(change);
      await delay(1);
      await vault.refresh();
      await until(async () => !(await readFile(file)).equals(before));
    }
  });

  it('does not fail when it cannot', async () => {
    const app = await start({ config: { sources: ['app'], snapshot: { file: join(file, 'no/folder'), key: KEY } } });
    expect([app.get(Mailer).password, app.get(VaultService).degraded]).toEqual(['kept', undefined]);
    await app.close();
    expect(messages.join('\n')).toMatch(/could not be written/);
  });

  it.each<[string, VaultModuleOptions, string]>([
    ['wrong password', { auth: { method: 'userpass', username: 'app', password: 'x' } }, 'VAULT_AUTHENTICATION'],
    ['credential missing', { auth: { method: 'token', token: { env: 'NOT_SET' } } }, 'VAULT_AUTHENTICATION'],
    ['denied', { auth: { method: 'token', token: 'unknown' } }, 'VAULT_'],
  ])('that fails for another reason than an outage stays failed: %s', async (_, more, code) => {
    await keepSnapshot();
    await expect(start(more)).rejects.toMatchObject({
      code: expect.stringContaining(code) as unknown,
      message: expect.not.stringContaining('snapshot') as unknown,
    });
  });

  it.each<[string, VaultModuleOptions, string]>([
    ['waitMs has passed', { config: { snapshot: { file: '', key: KEY, waitMs: 2_000 } } }, 'VAULT_CONFIGURATION'],
    ['the boot has run out of time', { boot: { timeoutMs: 2_000 } }, 'VAULT_TIMEOUT'],
  ])('stays failed when one secret is denied while another does not come, and %s', async (_, more, code) => {
    await server.seed({ 'secret/denied': { A: '1' } });
    const proxy = await startFaultServer(forwardTo(server.endpoint));
    const boot = (auth: VaultModuleOptions['auth']) => {
      const config = { sources: ['app', 'denied'], snapshot: { ...more.config?.snapshot, file, key: KEY } };
      return start({ ...more, endpoint: proxy.endpoint, ...(auth && { auth }), config });
    };
    await (await boot({ method: 'token', token: server.rootToken })).close();
    messages = [];
    const hang = forwardTo(server.endpoint, {
      intercept: ({ url }, _response, forward) => (url.endsWith('/secret/data/app') ? undefined : forward()),
    });
    proxy.answerWith(hang);
    const outcome = await boot(undefined).then(
      () => 'it booted',
      (error: unknown) => error,
    );
    expect(outcome).toMatchObject({ code, message: expect.stringContaining('secret/data/denied') as unknown });
    expect(messages.join('\n')).not.toContain('SNAPSHOT');
    await proxy.close();
  });

  it('stays failed when the secret is gone or the server is another one', async () => {
    await keepSnapshot();
    await server.request('DELETE', 'secret/metadata/app');
    await expect(start()).rejects.toMatchObject({ code: 'VAULT_CONFIGURATION' });
    const page = await startFaultServer(html(200));
    await expect(start({ endpoint: page.endpoint })).rejects.toMatchObject({ code: 'VAULT_BAD_RESPONSE' });
    await page.close();
  });

  it('goes on waiting for a slow Vault when the snapshot is refused', async () => {
    await keepSnapshot();
    process.kill(server.pid, 'SIGSTOP');
    // Asked for when waitMs has passed: it is the wrong one, and Vault is back.
    const key = () => (process.kill(server.pid, 'SIGCONT'), randomBytes(32).toString('hex'));
    const app = await start({
      config: { sources: ['app'], snapshot: { file: await copyOf('app'), key, waitMs: 100 } },
    });
    expect([app.get(Mailer).password, app.get(VaultService).degraded]).toEqual(['changed', undefined]);
  });

  /** A snapshot with the sources of another test. */
  async function copyOf(source: string): Promise<string> {
    const other = `${file}.other`;
    process.kill(server.pid, 'SIGCONT');
    await (await start({ config: { sources: [source], snapshot: { file: other, key: KEY } } })).close();
    process.kill(server.pid, 'SIGSTOP');
    return other;
  }
});

describe('without Vault and without a snapshot to use', () => {
  const nowhere = 'http://127.0.0.1:1';

  it.each<[string, () => Promise<unknown>, RegExp]>([
    ['none', () => Promise.resolve(), /there is none/],
    ['not one of this server', () => keepSnapshot(), /another server address/],
    ['no snapshot at all', () => writeFile(file, 'NOT A SNAPSHOT'), /not a snapshot/],
  ])('the error of the outage says why: %s', async (_, prepare, reason) => {
    await prepare();
    const failure: unknown = await start({ endpoint: nowhere, boot: { timeoutMs: 1_000 } }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(VaultConnectionError);
    expect(failure).toMatchObject({ code: 'VAULT_CONNECTION', retryable: true });
    const { message, advice } = failure as VaultConnectionError;
    expect(message).toContain(nowhere);
    expect(advice?.at(-1)).toBe('snapshot-unusable');
    expect(message.slice(message.indexOf('snapshot'))).toMatch(reason);
  });

  it('one that no longer fits its schema is refused as new values would be', async () => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: () => ({ issues: [{ message: 'no', path: ['X'] }] }),
      },
    };
    await keepSnapshot();
    await server.seal();
    const failing = start({ boot: { timeoutMs: 1_000 }, config: { ...options().config, schema } });
    await expect(failing).rejects.toMatchObject({
      code: 'VAULT_SEALED',
      message: expect.stringMatching(/does not help either: [^]*X/) as unknown,
    });
    await server.unseal();
  });
});

describe('loadVaultConfig', () => {
  it('takes the snapshot too, says so on standard error, and leaves nothing behind', async () => {
    await keepSnapshot();
    await server.seal();
    const warned = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    expect(await loadVaultConfig(options())).toEqual({ PASSWORD: 'kept', mail: { PASSWORD: 'kept' } });
    expect(warned.mock.calls.flat().join('\n')).toContain('STARTED ON A SNAPSHOT');
    await server.unseal();
  });
});

describe('an outage', () => {
  it('is one only when nothing else is the matter', () => {
    const away = new VaultConnectionError('x');
    const sealed = new VaultSealedError('x');
    const all = (...errors: ConstructorParameters<typeof VaultConfigurationError>[1]) =>
      isUnreachable(new VaultConfigurationError('x', errors));
    expect([isUnreachable(away), all(away, sealed)]).toEqual([true, true]);
    expect([all(away, new VaultPermissionError('x')), all(away, new VaultNotFoundError('x')), all()]).toEqual([
      false,
      false,
      false,
    ]);
    expect([new VaultTlsError('x'), new Error('x'), undefined].map(isUnreachable)).toEqual([false, false, false]);
  });
});
