import 'reflect-metadata';
import { expect, it } from '@jest/globals';
import { Inject, Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';
import { runStorm } from '../support/rotation-storm.js';
import { figures } from './figures.js';

const SECONDS = 60;
const VERSIONS = 300;
const databaseConfig = vaultConfig<{ username: string; password: string }>('database', { secretPath: 'database' });

@Injectable()
class Consumer {
  constructor(
    @Inject(databaseConfig.KEY) readonly database: { username: string; password: string },
    readonly config: ConfigService,
    readonly vault: VaultService,
  ) {}
}

it('a secret that changes every 50 ms for a minute is never read in halves', async () => {
  const server = await startVaultServer();
  const write = async (round: number): Promise<void> => {
    const data = { username: `u${round}`, password: `pw-${round}` };
    await server.request('POST', 'secret/data/database', { data });
  };
  await write(1);
  const vault = VaultModule.forRoot({
    endpoint: server.endpoint,
    auth: { method: 'token', token: server.rootToken },
    config: { sources: [databaseConfig], refresh: { intervalMs: 50 } },
  });
  @Module({ imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }), vault], providers: [Consumer] })
  class AppModule {}
  const app = await bootApplication(AppModule);
  try {
    const outcome = await runStorm(app.get(Consumer), { seconds: SECONDS, versions: VERSIONS, everyMs: 50, write });
    figures('storm of rotations', { ...outcome, readers: 50 });
    expect(outcome.torn).toBe(0);
    expect(outcome.last).toBe(`u${outcome.written + 1}`);
  } finally {
    await app.close();
    await server.stop();
  }
});
