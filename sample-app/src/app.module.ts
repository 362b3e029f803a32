import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { VaultModule } from 'nestjs-vault';
import { AppController } from './app.controller.js';
import { ConfigurationReport } from './configuration-report.js';
import { Features } from './features.js';
import { Mailer } from './mailer.js';
import { smtpConfig } from './smtp.config.js';
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
          sources: ['sample-app', smtpConfig, { secretPath: 'sample-app/features', as: 'features' }],
          // Short, so that one can watch it; in production a minute or five are enough.
          refresh: { intervalMs: 2_000 },
        },
      }),
    }),
  ],
  controllers: [AppController],
  providers: [TokenSigner, Mailer, Features, ConfigurationReport],
})
export class AppModule {}
