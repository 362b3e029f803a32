import 'reflect-metadata';
import { expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { z } from 'zod';
import type { VaultConfigChange } from '../../lib/index.js';
import { OnVaultChange, vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';
import { figures } from './figures.js';
import { processState, settledState } from './process-state.js';

const ROUNDS = 3_000;
const SECRETS = 20;
const KEYS = 150;
/**
 * Two measurements of the same state differ by less than 1 MB. The smallest thing that might be kept for each of the 2,400
 * rounds, the event of its change, would come to some 12 MB, and a configuration of 3,000 entries for each to 1 GB.
 */
const MOST_GROWTH_MB = 2;

const checkedConfig = vaultConfig('checked', { secretPath: 'checked', schema: z.object({ port: z.coerce.number() }) });

@Injectable()
class Consumer {
  keys = 0;

  @OnVaultChange()
  changed({ keys }: VaultConfigChange): void {
    this.keys += keys.length;
  }

  @OnVaultChange('checked')
  fails(): void {
    throw new Error('a consumer that always fails');
  }
}

it(`${ROUNDS} refreshes of ${SECRETS * KEYS} keys while sources change leave nothing behind`, async () => {
  const server = await startVaultServer();
  const values = (round: number) =>
    Object.fromEntries(Array.from({ length: KEYS }, (_, key) => [`key${key}`, `value ${key} of round ${round}`]));
  const write = (path: string, data: object) => server.request('POST', `secret/data/${path}`, { data });
  for (let secret = 0; secret < SECRETS; secret += 1) await write(`app/${secret}`, values(0));
  await write('checked', { port: '1' });
  const sources = Array.from({ length: SECRETS }, (_, secret) => ({ secretPath: `app/${secret}`, as: `app${secret}` }));
  const vault = VaultModule.forRoot({
    endpoint: server.endpoint,
    auth: { method: 'token', token: server.rootToken },
    config: {
      sources: [...sources, { secretPath: 'may-be', optional: true }, checkedConfig],
      load: [() => ({ REFERRED: 'vault:secret/app/0#key0', URL: 'x://${vault:secret/app/1#key1}@y' })],
      aliases: 'SCREAMING_CASE',
      refresh: { intervalMs: 3_600_000 },
    },
  });
  @Module({ imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }), vault], providers: [Consumer] })
  class AppModule {}
  const app = await bootApplication(AppModule);
  try {
    const service = app.get(VaultService);
    const config = app.get(ConfigService);
    let told = 0;
    const hear = (): void => void (told += 1);
    const subscriptions = [
      service.changes$.subscribe(hear),
      service.events$.subscribe(hear),
      config.changes$.subscribe(hear),
    ];
    const refused: number[] = [];
    let applied = 0;

    /** One secret gets new values; some rounds bring new names, a secret that comes and goes, or what no schema takes. */
    const turn = async (round: number): Promise<void> => {
      const extra = round % 7 === 0 ? { [`only in round ${round}`]: 'x' } : {};
      await write(`app/${round % SECRETS}`, { ...values(round), ...extra });
      if (round % 13 === 0) await write('may-be', { MAY_BE: round });
      if (round % 13 === 6) await server.request('DELETE', 'secret/metadata/may-be');
      if (round % 11 === 0) await write('checked', { port: 'none' });
      if (round % 11 === 1) await write('checked', { port: round });
      const brief = config.changes$.subscribe(() => undefined);
      const { change, problems } = await service.refresh();
      brief.unsubscribe();
      if (change) applied += 1;
      if (problems.length > 0) refused.push(round);
    };

    let before = processState();
    for (let round = 1; round <= ROUNDS; round += 1) {
      await turn(round);
      if (round === ROUNDS * 0.2) {
        await delay(200);
        before = processState();
      }
    }
    const after = await settledState(before);
    figures('refreshes', {
      applied,
      refused: refused.length,
      'keys changed': app.get(Consumer).keys,
      'heap at 20 %': `${before.heapMb.toFixed(1)} MB`,
      'heap at the end': `${after.heapMb.toFixed(1)} MB`,
      sockets: after.sockets - before.sockets,
      timers: after.timers - before.timers,
      listeners: after.listeners - before.listeners,
    });
    expect(config.get(`app${ROUNDS % SECRETS}.key7`)).toBe(`value 7 of round ${ROUNDS}`);
    expect(config.get('REFERRED')).toBe(config.get('app0.key0'));
    // As long as the secret that goes is gone, its last values stay and every round says so.
    expect(refused.filter((round) => round % 11 !== 0 && round % 13 < 6)).toEqual([]);
    expect(applied).toBe(ROUNDS - Math.floor(ROUNDS / 11));
    expect(told).toBeGreaterThan(applied * KEYS);
    expect(after.heapMb - before.heapMb).toBeLessThan(MOST_GROWTH_MB);
    expect(after.sockets).toBeLessThanOrEqual(before.sockets);
    expect(after.timers).toBeLessThanOrEqual(before.timers);
    expect(after.listeners).toBe(before.listeners);
    for (const subscription of subscriptions) subscription.unsubscribe();
  } finally {
    await app.close();
    await server.stop();
  }
});
