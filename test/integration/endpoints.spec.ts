import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { boot } from '../../lib/boot/boot.js';
import type { Load } from '../../lib/boot/load.js';
import { Kv2Engine } from '../../lib/engines/kv2.engine.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';

const ROOT = 'root-of-all-servers';

/** Servers that share nothing but the token: enough to see which of them is asked. */
describe('several real servers', () => {
  let sealed: VaultServer;
  let first: VaultServer;
  let second: VaultServer;
  const moves: string[] = [];
  let runtime: Load;
  const endpoints = (): string[] => [sealed, first, second].map(({ endpoint }) => endpoint);

  beforeAll(async () => {
    [sealed, first, second] = await Promise.all([
      startVaultServer({ storage: 'file' }),
      startVaultServer({ rootToken: ROOT }),
      startVaultServer({ rootToken: ROOT }),
    ]);
    await sealed.seal();
    await Promise.all([first, second].map((server) => server.seed({ 'secret/app': { A: 1 } })));
    const ignore = (): void => undefined;
    const log = { log: ignore, debug: ignore, error: ignore, warn: (message: string) => void moves.push(message) };
    runtime = await boot(
      { endpoint: endpoints(), auth: { method: 'token', token: ROOT }, config: { sources: ['app'] } },
      { log },
    );
  });

  afterAll(async () => {
    await runtime.close();
    await Promise.all([sealed, first, second].map((server) => server.stop()));
  });

  it('a sealed one is passed over; the one in use is stopped in the middle of reads, and none of them fails', async () => {
    const secrets = new Kv2Engine(runtime.client);
    expect(moves).toHaveLength(1);
    const inUse = moves[0]?.includes(first.endpoint) ? first : second;
    let stopped = false;
    const reader = async (): Promise<void> => {
      for (let after = 0; after < 20; after += stopped ? 1 : 0) await secrets.read('app');
    };
    const readers = Promise.all(Array.from({ length: 8 }, reader));
    await inUse.stop();
    stopped = true;
    await readers;
    expect(moves).toHaveLength(2);
    expect(moves[1]).toContain((inUse === first ? second : first).endpoint);
  });

  it('unsealing means every server, one by one', async () => {
    await expect(runtime.sys.unseal(sealed.unsealKeys)).rejects.toMatchObject({
      code: 'VAULT_CONNECTION',
    });
    expect((await sealed.request('GET', 'sys/seal-status')).body).toMatchObject({ sealed: false });
  });
});
