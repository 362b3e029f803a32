import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { Inject, Injectable, Logger, Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { z } from 'zod';
import type { VaultEvent } from '../../lib/index.js';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { useAppBench } from '../support/app-bench.js';
import { forwardTo, json } from '../support/fault-server.js';
import { until } from '../support/until.js';

const bench = useAppBench();
const KEY = randomBytes(32).toString('base64');
const SEALED = json(503, { errors: ['Vault is sealed'] });

const mailConfig = vaultConfig('mail', {
  secretPath: 'mail',
  schema: z.object({ password: z.string().min(4) }),
});

@Injectable()
class Mailer {
  constructor(@Inject(mailConfig.KEY) readonly mail: { readonly password: string }) {}
}
@Module({ imports: [VaultModule.forFeature(mailConfig)], providers: [Mailer] })
class MailModule {}

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snapshot-features-'));
  file = join(folder, 'snapshot');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function boot(...imports: (typeof MailModule)[]): Promise<INestApplicationContext> {
  const vault = VaultModule.forRoot({
    endpoint: bench.front.endpoint,
    auth: { method: 'token', token: bench.server.rootToken },
    request: { retries: 0 },
    config: { sources: ['app'], snapshot: { file, key: KEY } },
  });
  return bench.boot({ module: class AppModule {}, imports: [vault, ...imports] });
}

async function write(app: string, password: string): Promise<void> {
  await bench.server.seed({ 'secret/app': { NAME: app }, 'secret/mail': { password } });
}

it('what a namespace of a feature refuses replaces no good snapshot: not at a boot, not when Vault is back', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  await write('one', 'good');
  await (await boot(MailModule)).close();
  const good = await readFile(file);

  await write('two', 'bad');
  await expect(boot(MailModule)).rejects.toMatchObject({ code: 'VAULT_CONFIGURATION' });
  await bench.closeApplications();

  bench.front.answerWith(SEALED);
  const app = await boot(MailModule);
  const [vault, config, { mail }] = [app.get(VaultService), app.get(ConfigService), app.get(Mailer, { strict: false })];
  expect([config.get('NAME'), mail.password]).toEqual(['one', 'good']);
  const events: VaultEvent['type'][] = [];
  vault.events$.subscribe(({ type }) => events.push(type));
  const told = () => warn.mock.calls.filter(([text]) => /Still running on the snapshot: [^]*schema/.test(String(text)));
  bench.front.answerWith(forwardTo(bench.server.endpoint));
  await until(() => told().length > 0 || vault.degraded === undefined);
  expect((await readFile(file)).equals(good)).toBe(true);
  expect(vault.degraded?.reason).toMatch(/sealed/);
  expect([config.get('NAME'), mail.password, events.includes('snapshot-left')]).toEqual(['one', 'good', false]);

  await write('three', 'good again');
  await until(() => vault.degraded === undefined);
  await until(() => mail.password === 'good again');
  expect([config.get('NAME'), events.filter((type) => type === 'snapshot-left')]).toEqual(['three', ['snapshot-left']]);
  await bench.closeApplications();
  expect((await readFile(file)).equals(good)).toBe(false);
});

it('one that this application does not have keeps it from nothing', async () => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  await write('one', 'bad');
  await (await boot()).close();
  bench.front.answerWith(SEALED);
  const app = await boot();
  expect(app.get(ConfigService).get('NAME')).toBe('one');
  await write('two', 'bad');
  bench.front.answerWith(forwardTo(bench.server.endpoint));
  await until(() => app.get(ConfigService).get('NAME') === 'two');
  expect(app.get(VaultService).degraded).toBeUndefined();
});

it('an application on a snapshot keeps its values of what is not refreshed when Vault is back', async () => {
  for (const level of ['log', 'warn'] as const) jest.spyOn(Logger.prototype, level).mockImplementation(() => undefined);
  const start = () =>
    bench.boot(
      VaultModule.forRoot({
        endpoint: bench.front.endpoint,
        auth: { method: 'token', token: bench.server.rootToken },
        request: { retries: 0 },
        config: {
          sources: ['app', { secretPath: 'mail', as: 'post' }],
          refresh: { keys: ['NAME'] },
          snapshot: { file: join(folder, 'keys'), key: KEY },
        },
      }),
    );
  await write('one', 'good one');
  await (await start()).close();
  bench.front.answerWith(SEALED);
  const app = await start();
  await write('two', 'good two');
  bench.front.answerWith(forwardTo(bench.server.endpoint));
  const [vault, config] = [app.get(VaultService), app.get(ConfigService)];
  await until(() => vault.degraded === undefined && config.get('NAME') === 'two');
  expect(config.get('post.password')).toBe('good one');
});
