import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { PassportStrategy } from '@nestjs/passport';
import { ExtractJwt, Strategy } from 'passport-jwt';

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) {
  constructor(config: ConfigService) {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      // Called for each request, where secretOrKey is copied once.
      secretOrKeyProvider: (_request: unknown, _token: unknown, done: (error: unknown, secret: string) => void) =>
        done(null, config.getOrThrow<string>('JWT_SECRET')),
    });
  }

  validate(payload: { sub: string }) {
    return { userId: payload.sub };
  }
}
