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
  page(): string {
    return renderPage(this.report.create(), this.mailer.describe());
  }

  @Get('config.json')
  json(): Report {
    return this.report.create();
  }

  @Get('sign')
  sign(@Query('text') text?: string): { text: string; signature: string } {
    if (typeof text !== 'string' || text === '') throw new BadRequestException('Say what to sign: /sign?text=hello');
    return { text, signature: this.signer.sign(text) };
  }

  @Get('checkout')
  checkout(@Query('region') region = ''): { express: boolean } {
    return { express: this.features.expressCheckout(region) };
  }
}
