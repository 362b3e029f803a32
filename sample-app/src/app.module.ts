import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { VaultModule } from 'nestjs-vault';
import { AppController } from './app.controller.js';
import { ConfigurationReport } from './configuration-report.js';
import { Features } from './features.js';
import { Mailer } from './mailer.js';
import { TokenSigner } from './token-signer.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true }),
    VaultModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (env: ConfigService) => ({
        endpoint: env.getOrThrow<string>('VAULT_ADDR'),
        auth: { method: 'approle', roleId: env.getOrThrow<string>('ROLE_ID'), secretId: { env: 'SECRET_ID' } },
        config: {
          sources: [
            'sample-app',
            { secretPath: 'shared/smtp', as: 'smtp' },
            { secretPath: 'sample-app/features', as: 'features' },
          ],
        },
      }),
    }),
  ],
  controllers: [AppController],
  providers: [TokenSigner, Mailer, Features, ConfigurationReport],
})
export class AppModule {}
