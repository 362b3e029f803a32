import { ConfigService } from '@nestjs/config';
import { JwtModule } from '@nestjs/jwt';

export const signing = JwtModule.registerAsync({
  inject: [ConfigService],
  useFactory: (config: ConfigService) => ({
    // Called for each token that is signed or verified, where "secret" is copied once.
    secretOrKeyProvider: () => config.getOrThrow<string>('JWT_SECRET'),
    signOptions: { expiresIn: '15m' },
  }),
});
