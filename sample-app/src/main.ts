import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';

const app = await NestFactory.create<NestExpressApplication>(AppModule);
app.disable('x-powered-by');
app.enableShutdownHooks();
try {
  await app.listen(process.env['PORT'] ?? 0, '127.0.0.1');
  console.log(`Listening on ${await app.getUrl()}`);
} catch {
  // Nest has logged why. The application holds a session at Vault: close it, so that its token does not outlive it.
  await app.close();
  process.exitCode = 1;
}
