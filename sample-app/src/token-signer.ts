import { createHmac } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';

/** Signs text with the key from the configuration. Knows nothing of Vault. */
@Injectable()
export class TokenSigner {
  readonly #key: string;

  constructor(config: ConfigService) {
    this.#key = config.getOrThrow<string>('SIGNING_KEY');
  }

  sign(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}
