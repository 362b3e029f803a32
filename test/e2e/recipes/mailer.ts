import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { createTransport, type SendMailOptions } from 'nodemailer';

@Injectable()
export class Mailer {
  constructor(private readonly config: ConfigService) {}

  async send(mail: SendMailOptions): Promise<void> {
    // Without "pool", a transport opens a connection for each mail anyway.
    const smtp = (key: string) => this.config.getOrThrow<string>(`smtp.${key}`);
    const auth = { user: smtp('user'), pass: smtp('password') };
    await createTransport({ host: smtp('host'), port: Number(smtp('port')), auth }).sendMail(mail);
  }
}
