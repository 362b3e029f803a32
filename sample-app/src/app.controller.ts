import { BadRequestException, Controller, Get, Header, Query } from '@nestjs/common';
import type { Report } from './configuration-report.js';
import { ConfigurationReport } from './configuration-report.js';
import { Features } from './features.js';
import { Mailer } from './mailer.js';
import { renderPage } from './page.js';
import { TokenSigner } from './token-signer.js';

@Controller()
export class AppController {
  constructor(
    private readonly report: ConfigurationReport,
    private readonly signer: TokenSigner,
    private readonly mailer: Mailer,
    private readonly features: Features,
  ) {}

  @Get()
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
  @Header('cache-control', 'no-store')
  page(): string {
    return renderPage(this.report.create(), this.mailer.describe());
  }

  @Get('config.json')
  @Header('cache-control', 'no-store')
  json(): Report {
    return this.report.create();
  }

  @Get('sign')
  sign(@Query('text') text: unknown): { text: string; signature: string } {
    const given = required('text', text);
    return { text: given, signature: this.signer.sign(given) };
  }

  @Get('verify')
  verify(@Query('text') text: unknown, @Query('signature') signature: unknown): { valid: boolean } {
    return { valid: this.signer.verify(required('text', text), required('signature', signature)) };
  }

  @Get('checkout')
  checkout(@Query('region') region: unknown): { express: boolean } {
    return { express: this.features.expressCheckout(required('region', region)) };
  }
}

function required(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '')
    throw new BadRequestException(`The parameter "${name}" is missing. Add it once: ?${name}=…`);
  return value;
}
