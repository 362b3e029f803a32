// Run as a process of its own by the outage tests: a Nest application whose secrets come from Vault. Answers every line on
// its standard input with a line of JSON about itself, and ends with its input.
import 'reflect-metadata';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import type { VaultModuleOptions } from '../../lib/index.js';
import { VaultModule, VaultService } from '../../lib/index.js';

/** What the application says of itself. */
export interface OutageReport {
  /** Configuration value, as its consumers get it. */
  readonly value: unknown;
  readonly state: string;
  /** Rejections nobody handled, exceptions nobody caught, and warnings of the process. */
  readonly unhandled: readonly string[];
  /** Sockets the process has open. */
  readonly sockets: number;
  readonly timers: number;
  /** After garbage collection. */
  readonly heapMb: number;
  /** Calls to Vault that ended well, and that failed, since the last report. */
  readonly calls: { readonly good: number; readonly bad: number };
  /** How many events of each type there were since the last report. */
  readonly events: Record<string, number>;
}

const unhandled: string[] = [];
process.on('unhandledRejection', (error) => unhandled.push(String(error)));
process.on('uncaughtException', (error) => unhandled.push(String(error)));
process.on('warning', (warning) => unhandled.push(String(warning)));

const options = JSON.parse(process.argv[2] ?? '') as VaultModuleOptions;
const app = await NestFactory.createApplicationContext(
  { module: class AppModule {}, imports: [ConfigModule.forRoot({ isGlobal: true }), VaultModule.forRoot(options)] },
  { logger: false },
);
const vault = app.get(VaultService);
const config = app.get(ConfigService);

let calls = { good: 0, bad: 0 };
let events: Record<string, number> = {};
vault.events$.subscribe(({ type }) => (events[type] = (events[type] ?? 0) + 1));

// Some of the application's own work with Vault, which goes on during an outage.
let working = true;
const work = (async () => {
  while (working) {
    await vault
      .kv()
      .read('app')
      .then(
        () => (calls.good += 1),
        () => (calls.bad += 1),
      );
    await delay(100);
  }
})();

function report(): OutageReport {
  globalThis.gc?.();
  const resources = process.getActiveResourcesInfo();
  const count = (kind: RegExp): number => resources.filter((resource) => kind.test(resource)).length;
  const told = { calls, events };
  calls = { good: 0, bad: 0 };
  events = {};
  return {
    value: config.get('PASSWORD'),
    state: vault.session.state,
    unhandled,
    sockets: count(/TCP/),
    timers: count(/Timeout/),
    heapMb: process.memoryUsage().heapUsed / 1024 / 1024,
    ...told,
  };
}

for await (const _ of createInterface({ input: process.stdin })) console.log(JSON.stringify(report()));
working = false;
await app.close();
await work;
