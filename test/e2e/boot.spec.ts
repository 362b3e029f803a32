import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';

let server: VaultServer;

beforeAll(async () => {
  server = await startVaultServer();
  await server.seed({ 'secret/my-app': { SMTP_PASSWORD: 'hunter2', nested: { port: 25 } } });
});
afterAll(() => server.stop());

describe('forRootAsync', () => {
  it('has every secret in ConfigService when a constructor runs', async () => {
    @Injectable()
    class Mailer {
      readonly password: string;
      constructor(config: ConfigService) {
        this.password = config.getOrThrow('SMTP_PASSWORD');
      }
    }
    @Module({ imports: [ConfigModule], providers: [Mailer] })
    class MailModule {}
    @Module({
      imports: [
        ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
        MailModule,
        VaultModule.forRootAsync({
          inject: [ConfigService],
          useFactory: () => ({
            endpoint: server.endpoint,
            auth: { method: 'token', token: server.rootToken },
            config: { sources: ['my-app'] },
          }),
        }),
      ],
    })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, {
      abortOnError: false,
      logger: ['error', 'warn', 'log'],
    });
    expect(app.get(Mailer).password).toBe('hunter2');
    expect(app.get(ConfigService).get('nested.port')).toBe(25);
    const vault = app.get(VaultService);
    expect((await vault.kv().read('my-app')).data).toEqual({ SMTP_PASSWORD: 'hunter2', nested: { port: 25 } });
    await app.close();
    await expect(vault.kv().read('my-app')).rejects.toMatchObject({ code: 'VAULT_CLOSED' });
  });
});
