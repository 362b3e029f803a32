// Forked by the session bench: an application that does nothing but keep its session. Answers each message with the CPU
// time it has used so far, and ends with its parent.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { VaultModule } from 'nestjs-vault';

process.once('disconnect', () => process.exit());
const app = await NestFactory.createApplicationContext(VaultModule.forRoot(JSON.parse(process.argv[2])), {
  logger: false,
});
process.on('message', (message) => {
  if (message === 'close') void app.close().then(() => process.exit());
  else process.send(process.cpuUsage());
});
process.send('ready');
