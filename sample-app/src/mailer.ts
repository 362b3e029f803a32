import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';

const SMTPS_PORT = 465;

/** What a mail library would be given. */
export interface MailTransport {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly auth: { readonly user: string; readonly pass: string };
}

/** Prepares the transport of outgoing mail; the sample sends none. Knows nothing of Vault. */
@Injectable()
export class Mailer {
  readonly #transport: MailTransport;

  constructor(config: ConfigService) {
    const port = config.getOrThrow<number>('smtp.port');
    this.#transport = {
      host: config.getOrThrow<string>('smtp.host'),
      port,
      secure: port === SMTPS_PORT,
      auth: { user: config.getOrThrow<string>('smtp.user'), pass: config.getOrThrow<string>('smtp.password') },
    };
  }

  /** How mail would be sent, without saying where to, or as whom. */
  describe(): string {
    return this.#transport.secure ? 'ready, over TLS from the start' : 'ready, upgrades to TLS with STARTTLS';
  }
}
