import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';

/** What a mail transport is configured with. */
export interface MailTransport {
  readonly host: string;
  readonly port: number;
  readonly auth: { readonly user: string; readonly pass: string };
}

/** Holds the transport a mail library would be given. Knows nothing of Vault. */
@Injectable()
export class Mailer {
  readonly #transport: MailTransport;

  constructor(config: ConfigService) {
    this.#transport = {
      host: config.getOrThrow<string>('smtp.host'),
      port: config.getOrThrow<number>('smtp.port'),
      auth: { user: config.getOrThrow<string>('smtp.user'), pass: config.getOrThrow<string>('smtp.password') },
    };
  }

  /** Where mail would go, without the password. */
  describe(): string {
    const { host, port, auth } = this.#transport;
    return `${auth.user} at ${host}:${port}`;
  }
}
