import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { OnVaultChange } from 'nestjs-vault';
import { smtpConfig } from './smtp.config.js';

const SMTPS_PORT = 465;

/** What a mail library would be given. */
export interface MailTransport {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly auth: { readonly user: string; readonly pass: string };
}

/** Prepares the transport of outgoing mail, anew whenever its secret is rotated; the sample sends none. */
@Injectable()
export class Mailer {
  readonly #smtp: ConfigType<typeof smtpConfig>;
  #transport: MailTransport;
  #rotations = 0;

  constructor(@Inject(smtpConfig.KEY) smtp: ConfigType<typeof smtpConfig>) {
    this.#smtp = smtp;
    this.#transport = this.#connect();
  }

  /** The injected object has the new values by now; what was made of the old ones is made again. */
  @OnVaultChange('smtp')
  reconnect(): void {
    this.#transport = this.#connect();
    this.#rotations += 1;
  }

  /** How mail would be sent, without saying where to, or as whom. */
  describe(): string {
    const how = this.#transport.secure ? 'over TLS from the start' : 'upgrades to TLS with STARTTLS';
    return `ready, ${how}; rotated ${this.#rotations} ${this.#rotations === 1 ? 'time' : 'times'} since the start`;
  }

  #connect(): MailTransport {
    const { host, port, user, password } = this.#smtp;
    return { host, port, secure: port === SMTPS_PORT, auth: { user, pass: password } };
  }
}
