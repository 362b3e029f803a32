import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { VaultModule, VaultService } from '../../lib/index.js';
import { AuthBench } from '../support/auth-bench.js';
import { bootApplication } from '../support/boot-application.js';
import { figures } from './figures.js';
import { processState, settledState } from './process-state.js';

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
let bench: AuthBench;

beforeAll(async () => {
  process.on('unhandledRejection', note);
  bench = await AuthBench.start();
  await bench.server.seed({ 'secret/app': { PASSWORD: 'p' } });
  await bench.server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await bench.server.request('PUT', 'sys/policies/acl/app', {
    policy: 'path "secret/data/app" { capabilities = ["read"] }',
  });
  await bench.server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_policies: ['app'] });
});
afterAll(async () => {
  process.off('unhandledRejection', note);
  await bench.stop();
});

function boot() {
  return bootApplication({
    module: class AppModule {},
    imports: [
      VaultModule.forRoot({
        // Not through the front, which remembers every request.
        endpoint: bench.server.endpoint,
        auth: { method: 'userpass', username: 'app', password: 'pw-of-app' },
        config: { sources: ['app'] },
        request: { retries: 0 },
      }),
    ],
  });
}

it('200 boots and closes, 4,000 calls that fail and 500 logins leave nothing behind', async () => {
  const bootAndClose = async (times: number): Promise<void> => {
    for (let count = 0; count < times; count += 1) await (await boot()).close();
  };
  const idle = processState();
  // What is loaded and compiled once is no growth.
  await bootAndClose(20);
  const before = await settledState(idle);
  await bootAndClose(200);
  const app = await boot();
  const vault = app.get(VaultService);
  let failed = 0;
  const fail = (path: string, timeoutMs: number) =>
    vault
      .kv()
      .read(path, { timeoutMs })
      .catch(() => (failed += 1));
  for (let round = 0; round < 20; round += 1)
    await Promise.all(Array.from({ length: 200 }, (_, index) => fail('denied', index % 2 === 0 ? 0.01 : 20_000)));
  for (let count = 0; count < 500; count += 1) await vault.session.relogin();
  await app.close();
  const after = await settledState(before);
  figures('growth', {
    'failed calls': failed,
    'heap before': `${before.heapMb.toFixed(1)} MB`,
    'heap after': `${after.heapMb.toFixed(1)} MB`,
    sockets: after.sockets - before.sockets,
    timers: after.timers - before.timers,
    listeners: after.listeners - before.listeners,
  });
  expect(failed).toBe(4_000);
  expect(after.sockets).toBeLessThanOrEqual(before.sockets);
  expect(after.timers).toBeLessThanOrEqual(before.timers);
  expect(after.listeners).toBe(before.listeners);
  expect(after.heapMb - before.heapMb).toBeLessThan(15);
  expect(unhandled).toEqual([]);
});
