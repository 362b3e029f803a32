import { createHmac, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';

/** Signs text with the key from the configuration. Knows nothing of Vault. */
@Injectable()
export class TokenSigner {
  readonly #key: string;

  constructor(config: ConfigService) {
    this.#key = config.getOrThrow<string>('SIGNING_KEY');
  }

  /** HMAC-SHA-256 in base64url. */
  sign(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }

  verify(text: string, signature: string): boolean {
    const expected = Buffer.from(this.sign(text));
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}
