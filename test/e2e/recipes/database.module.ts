import { ConfigService } from '@nestjs/config';
import { TypeOrmModule } from '@nestjs/typeorm';

export const database = TypeOrmModule.forRootAsync({
  inject: [ConfigService],
  useFactory: (config: ConfigService) => ({
    type: 'postgres' as const,
    host: config.getOrThrow<string>('database.host'),
    port: config.getOrThrow<number>('database.port'),
    database: config.getOrThrow<string>('database.name'),
    username: config.getOrThrow<string>('database.username'),
    // Called by pg for each new connection.
    password: () => config.getOrThrow<string>('database.password'),
    autoLoadEntities: true,
  }),
});
