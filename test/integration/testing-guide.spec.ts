// The examples of docs/testing.md, as they stand there.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import type { ConfigType } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { z } from 'zod';
import { OnVaultChange, VaultModule, VaultService, vaultConfig } from '../../lib/index.js';
import { startVaultServer, type VaultServer } from '../../lib/testing/index.js';

let server: VaultServer;

beforeAll(async () => {
  server = await startVaultServer();
  await server.seed({ 'secret/my-app': { SMTP_PASSWORD: 'for-tests' } });
}, 120_000);

afterAll(() => server.stop());

it('reads its password from Vault', async () => {
  const testing = await Test.createTestingModule({
    imports: [
      ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
      VaultModule.forRoot({
        endpoint: server.endpoint,
        auth: { method: 'token', token: server.rootToken },
        config: { sources: ['my-app'] },
      }),
    ],
  }).compile();
  const app = await testing.createNestApplication().init();

  expect(app.get(ConfigService).get('SMTP_PASSWORD')).toBe('for-tests');
  await app.close();
});

it('logs in as the application will, with an AppRole', async () => {
  await server.request('PUT', 'sys/policies/acl/my-app', {
    policy: 'path "secret/data/my-app" { capabilities = ["read"] }',
  });
  await server.request('POST', 'sys/auth/approle', { type: 'approle' });
  await server.request('POST', 'auth/approle/role/my-app', { token_policies: ['my-app'] });
  type Answer<T> = { data: T };
  const role = await server.request<Answer<{ role_id: string }>>('GET', 'auth/approle/role/my-app/role-id');
  const secret = await server.request<Answer<{ secret_id: string }>>('POST', 'auth/approle/role/my-app/secret-id');
  const auth = { method: 'approle', roleId: role.body.data.role_id, secretId: secret.body.data.secret_id } as const;

  const testing = await Test.createTestingModule({
    imports: [VaultModule.forRoot({ endpoint: server.endpoint, auth, config: { sources: ['my-app'] } })],
  }).compile();

  expect(testing.get(VaultService).session.policies).toEqual(['default', 'my-app']);
  expect(testing.get(ConfigService, { strict: false }).get('SMTP_PASSWORD')).toBe('for-tests');
  await testing.close();
});

describe('unit tests, without a server', () => {
  const databaseConfig = vaultConfig('database', {
    secretPath: 'team/database',
    schema: z.object({ username: z.string(), password: z.string().min(8), port: z.coerce.number().default(5432) }),
  });

  @Injectable()
  class Mailer {
    readonly password: string;
    constructor(config: ConfigService) {
      this.password = config.getOrThrow('SMTP_PASSWORD');
    }
  }

  @Injectable()
  class Pool {
    url = '';
    constructor(@Inject(databaseConfig.KEY) private readonly database: ConfigType<typeof databaseConfig>) {
      this.reconnect();
    }

    @OnVaultChange('database')
    reconnect(): void {
      this.url = `postgres://${this.database.username}:${this.database.password}@db:${this.database.port}`;
    }
  }

  @Injectable()
  class Rotator {
    constructor(private readonly vault: VaultService) {}
    async password(): Promise<string> {
      return (await this.vault.kv().read<{ password: string }>('my-app')).data.password;
    }
  }

  it('a ConfigService of its own', async () => {
    const testing = await Test.createTestingModule({
      providers: [Mailer, { provide: ConfigService, useValue: new ConfigService({ SMTP_PASSWORD: 'for-tests' }) }],
    }).compile();
    expect(testing.get(Mailer).password).toBe('for-tests');
  });

  it('a namespace by its KEY, before and after a rotation', async () => {
    const database: ConfigType<typeof databaseConfig> = { username: 'app', password: 'for-tests', port: 5432 };
    const testing = await Test.createTestingModule({
      providers: [Pool, { provide: databaseConfig.KEY, useValue: database }],
    }).compile();
    const pool = testing.get(Pool);
    expect(pool.url).toBe('postgres://app:for-tests@db:5432');

    Object.assign(database, { password: 'rotated' });
    pool.reconnect();
    expect(pool.url).toBe('postgres://app:rotated@db:5432');
  });

  it('a whole AppModule, with the module of its secrets replaced', async () => {
    // Nobody answers there: what is replaced must not be asked.
    @Module({ imports: [VaultModule.forRoot({ endpoint: 'http://127.0.0.1:1', config: { sources: ['my-app'] } })] })
    class SecretsModule {}
    @Module({ providers: [Mailer], exports: [Mailer] })
    class MailModule {}
    @Module({ imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }), MailModule, SecretsModule] })
    class AppModule {}

    const testing = await Test.createTestingModule({ imports: [AppModule] })
      .overrideModule(SecretsModule)
      .useModule(ConfigModule.forFeature(() => ({ SMTP_PASSWORD: 'for-tests' })))
      .compile();
    expect(testing.get(Mailer, { strict: false }).password).toBe('for-tests');
    await testing.close();
  });

  it('as much of VaultService as the class uses', async () => {
    const read = () => Promise.resolve({ data: { password: 'for-tests' }, version: 1 });
    const testing = await Test.createTestingModule({
      providers: [Rotator, { provide: VaultService, useValue: { kv: () => ({ read }) } }],
    }).compile();
    expect(await testing.get(Rotator).password()).toBe('for-tests');
  });
});
