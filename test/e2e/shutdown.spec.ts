import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { CustomLoginClient, VaultAuth, VaultModuleOptions } from '../../lib/index.js';
import { VaultModule, VaultService } from '../../lib/index.js';
import { AuthBench } from '../support/auth-bench.js';
import { bootApplication } from '../support/boot-application.js';
import type { Interceptor } from '../support/fault-server.js';
import { forwardTo, freePort, json, silent } from '../support/fault-server.js';
import { until } from '../support/until.js';

let bench: AuthBench;
afterEach(() => bench.stop());

async function start(ttl = '1h'): Promise<void> {
  bench = await AuthBench.start();
  const { server } = bench;
  await server.seed({ 'secret/app': { PASSWORD: 'p' } });
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('PUT', 'sys/policies/acl/app', { policy: 'path "secret/data/app" { capabilities = ["read"] }' });
  await server.request('POST', 'auth/userpass/users/app', {
    password: 'pw-of-app',
    token_policies: ['app'],
    token_ttl: ttl,
  });
}

const options = (more: VaultModuleOptions = {}): VaultModuleOptions => ({
  endpoint: bench.front.endpoint,
  auth: { method: 'userpass', username: 'app', password: 'pw-of-app' },
  config: { sources: ['app'] },
  ...more,
});
const appOf = (...imports: DynamicModule[]) => ({ module: class AppModule {}, imports });
/** The password is right, and the server wants a second factor. */
const wantsPasscode: Interceptor = async ({ url }, response, forward) => {
  if (!url.includes('/login/')) return forward();
  const any = [{ id: 'id', type: 'totp', name: 'phone', uses_passcode: true }];
  const requirement = { mfa_request_id: 'request', mfa_constraints: { all: { any } } };
  await json(200, { auth: { client_token: '', mfa_requirement: requirement } })(bench.front.requests[0]!, response);
};
const accessors = async (): Promise<number> =>
  ((await bench.ask('LIST', 'auth/token/accessors')) as unknown as { keys: string[] }).keys.length;

describe('an application that closes', () => {
  it('on a silent server, with tokens in their time of grace, a login and calls under way, is done within shutdown.timeoutMs', async () => {
    await start();
    const app = await bootApplication(appOf(VaultModule.forRoot(options({ shutdown: { timeoutMs: 500 } }))));
    const vault = app.get(VaultService);
    for (let count = 0; count < 5; count += 1) await vault.session.relogin();
    bench.front.answerWith(silent());
    const under = [vault.session.relogin(), ...Array.from({ length: 20 }, () => vault.kv().read('app'))];
    const outcomes = Promise.allSettled(under);
    // As many as there may be; the rest waits for a connection.
    await bench.front.until(() => bench.front.connections === 8);
    const closing = app.close().then(() => 'closed');
    await expect(Promise.race([closing, delay(5_000, 'open', { ref: false })])).resolves.toBe('closed');
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'VAULT_CLOSED' } });
    await bench.front.until(() => bench.front.connections === 0);
    await app.close();
    expect(vault.session.state).toBe('closed');
  }, 30_000);

  it('while calls wait for a server that is gone ends their waits', async () => {
    await start();
    const dead = `http://127.0.0.1:${await freePort()}`;
    const app = await bootApplication(appOf(VaultModule.forRoot(options({ endpoint: [bench.front.endpoint, dead] }))));
    const vault = app.get(VaultService);
    await bench.front.close();
    const calls = Array.from({ length: 10 }, () => vault.kv().read('app', { timeoutMs: 60_000 }));
    const outcomes = Promise.allSettled(calls);
    await new Promise<void>((resolve) => {
      vault.events$.subscribe(({ type }) => type === 'request-retried' && resolve());
    });
    await app.close();
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'VAULT_CLOSED' } });
  }, 30_000);

  it('gives back every token it obtained, whatever was going on', async () => {
    await start('2s');
    const before = await accessors();
    const app = await bootApplication(appOf(VaultModule.forRoot(options())));
    const vault = app.get(VaultService);
    const logins = Array.from({ length: 3 }, () => vault.session.relogin().catch(() => undefined));
    await vault.session.relogin();
    const last = vault.session.relogin().catch(() => undefined);
    await Promise.all([app.close(), app.close()]);
    await Promise.all([...logins, last]);
    expect(await accessors()).toBe(before);
  }, 30_000);
});

describe('a login under way when the application closes', () => {
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown): void => void rejections.push(reason);
  beforeAll(() => void process.on('unhandledRejection', onRejection));
  afterAll(() => void process.off('unhandledRejection', onRejection));
  // A test would end before that time.
  const shutdown = { timeoutMs: 3_600_000 };

  it.each(['auth.login', 'auth.password', 'auth.mfa'])('is not waited for while %s never returns', async (option) => {
    await start();
    let hangs = false;
    let called = (): void => undefined;
    let answer = (_: string): void => undefined;
    let signal: AbortSignal | undefined;
    const supply = (value: string): string | Promise<string> => {
      if (!hangs) return value;
      called();
      return new Promise((resolve) => (answer = resolve));
    };
    const user = { method: 'userpass', username: 'app', password: 'pw-of-app' } as const;
    const ways: Readonly<Record<string, VaultAuth>> = {
      'auth.login': { method: 'custom', login: (vault) => ((signal = vault.signal), supply(bench.server.rootToken)) },
      'auth.password': { ...user, password: () => supply('pw-of-app') },
      'auth.mfa': { ...user, mfa: { totp: () => supply('000000') } },
    };
    const auth = ways[option] as VaultAuth;
    const app = await bootApplication(appOf(VaultModule.forRoot(options({ auth, shutdown }))));
    if (option === 'auth.mfa') bench.intercept(wantsPasscode);
    hangs = true;
    const waiting = new Promise<void>((resolve) => (called = resolve));
    const login = app
      .get(VaultService)
      .session.relogin()
      .catch((error: unknown) => error);
    await waiting;
    await app.close();
    expect(await login).toMatchObject({ code: 'VAULT_CLOSED' });
    if (option === 'auth.login') expect(signal?.aborted).toBe(true);
    await bench.front.until(() => bench.front.connections === 0);
    const before = bench.front.requests.length;
    answer(bench.server.rootToken);
    await delay(50);
    expect(bench.front.requests).toHaveLength(before);
    expect(rejections).toEqual([]);
  });

  it('has closed what it had opened, when it heeds the signal', async () => {
    await start();
    let heeds = false;
    let tidied = false;
    let waits = (): void => undefined;
    const login = async ({ signal }: CustomLoginClient): Promise<string> => {
      if (!heeds) return bench.server.rootToken;
      waits();
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      await delay(5);
      tidied = true;
      throw new Error('given up');
    };
    const app = await bootApplication(
      appOf(VaultModule.forRoot(options({ auth: { method: 'custom', login }, shutdown }))),
    );
    heeds = true;
    const waiting = new Promise<void>((resolve) => (waits = resolve));
    const outcome = app
      .get(VaultService)
      .session.relogin()
      .catch((error: unknown) => error);
    await waiting;
    await app.close();
    expect(tidied).toBe(true);
    expect(await outcome).toMatchObject({ code: 'VAULT_CLOSED' });
  });

  it('is waited for while the server works on it, and its token given back', async () => {
    await start();
    const app = await bootApplication(appOf(VaultModule.forRoot(options({ shutdown }))));
    const before = await accessors();
    let go = (): void => undefined;
    const asked = new Promise<void>((resolve) =>
      bench.intercept(async ({ url }, _response, forward) => {
        if (url.endsWith('revoke-self')) return forward();
        resolve();
        await new Promise<void>((release) => (go = release));
        await forward();
      }),
    );
    const login = app
      .get(VaultService)
      .session.relogin()
      .catch((error: unknown) => error);
    await asked;
    const closing = app.close();
    await bench.front.until(() => bench.sent('revoke-self').length === 1);
    go();
    await closing;
    expect(await login).toMatchObject({ code: 'VAULT_CLOSED' });
    expect(bench.sent('revoke-self')).toHaveLength(2);
    expect(await accessors()).toBe(before - 1);
  });
});

it('an application whose boot failed in another provider renews nothing', async () => {
  await start('1s');
  const before = await accessors();
  const broken = {
    module: class Broken {},
    providers: [{ provide: 'broken', useFactory: () => Promise.reject(new Error('no')) }],
  };
  await expect(bootApplication(appOf(VaultModule.forRoot(options()), broken))).rejects.toThrow('no');
  class Late {
    onModuleInit(): void {
      throw new Error('later');
    }
  }
  Module({ providers: [Late] })(Late);
  await expect(bootApplication(appOf(VaultModule.forRoot(options()), { module: Late, providers: [] }))).rejects.toThrow(
    'later',
  );
  expect(bench.sent('/login/app')).toHaveLength(2);
  await until(async () => (await accessors()) === before);
  expect(bench.sent('renew-self')).toEqual([]);
}, 30_000);

it('a boot that is given up while its login is under way leaves no connection, and logs in no more', async () => {
  await start();
  let answer: (() => void) | undefined;
  bench.front.answerWith(
    forwardTo(bench.server.endpoint, {
      intercept: async (_request, _response, forward) => {
        await new Promise<void>((resolve) => (answer = resolve));
        await forward().catch(() => undefined);
      },
    }),
  );
  const attempt = bootApplication(appOf(VaultModule.forRoot(options({ boot: { timeoutMs: 1_500 } }))));
  await expect(attempt).rejects.toMatchObject({ code: 'VAULT_TIMEOUT' });
  await bench.front.until(() => bench.front.connections === 0);
  answer?.();
  expect(bench.front.requests).toHaveLength(1);
}, 30_000);
