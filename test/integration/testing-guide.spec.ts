// The example of docs/testing.md, as it stands there.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { VaultModule } from '../../lib/index.js';
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
