import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { DynamicModule } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { VaultModuleOptions } from '../../lib/index.js';
import { VaultModule, VaultService } from '../../lib/index.js';
import { AuthBench } from '../support/auth-bench.js';
import { bootApplication } from '../support/boot-application.js';
import { forwardTo, freePort, silent } from '../support/fault-server.js';

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

it('an application whose boot failed in another provider renews nothing', async () => {
  await start('1s');
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
  const before = await accessors();
  while ((await accessors()) !== before - 2) await delay(50);
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
  const attempt = bootApplication(appOf(VaultModule.forRoot(options({ boot: { timeoutMs: 300 } }))));
  await expect(attempt).rejects.toMatchObject({ code: 'VAULT_TIMEOUT' });
  await bench.front.until(() => bench.front.connections === 0);
  answer?.();
  expect(bench.front.requests).toHaveLength(1);
}, 30_000);
