import { afterEach, describe, expect, it } from '@jest/globals';
import type { VaultClient } from '../../lib/client/vault-client.js';
import { VaultSys } from '../../lib/sys/vault-sys.js';
import type { VaultServer, VaultServerOptions } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import type { FaultServer } from '../support/fault-server.js';
import { forwardTo, startFaultServer } from '../support/fault-server.js';
import { createClient } from '../support/vault-client.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(
  options: VaultServerOptions,
): Promise<{ server: VaultServer; front: FaultServer; client: VaultClient; sys: VaultSys }> {
  const server = await startVaultServer(options);
  closing.push(() => server.stop());
  const front = await startFaultServer(forwardTo(server.endpoint));
  closing.push(() => front.close());
  const client = await createClient(front.endpoint, undefined);
  closing.push(() => client.close());
  return { server, front, client, sys: new VaultSys(client, (endpoint) => createClient(endpoint, undefined)) };
}

const submitted = (front: FaultServer) => front.requests.filter(({ url }) => url === '/v1/sys/unseal').length;

describe('health', () => {
  it('of an active, a sealed and an uninitialized server', async () => {
    const { sys, server } = await start({ storage: 'file' });
    expect(await sys.health()).toMatchObject({
      state: 'active',
      initialized: true,
      sealed: false,
      version: server.version,
    });
    await server.seal();
    expect(await sys.health()).toMatchObject({ state: 'sealed', statusCode: 503, sealed: true });
    const empty = await start({ storage: 'file', initialize: false });
    expect(await empty.sys.health()).toMatchObject({ state: 'not-initialized', initialized: false });
    expect(await empty.sys.sealStatus()).toMatchObject({ initialized: false, sealed: true });
    await expect(empty.sys.unseal(['key'])).rejects.toMatchObject({ code: 'VAULT_NOT_INITIALIZED' });
  });
});

describe('unseal', () => {
  it('submits keys one by one, reports each, and stops as soon as the server is open', async () => {
    const { sys, server, front } = await start({ storage: 'file', seal: { shares: 5, threshold: 3 } });
    await server.seal();
    const progress: string[] = [];
    const [result] = await sys.unseal(server.unsealKeys, {
      onProgress: ({ progress: done, threshold, sealed }) => progress.push(`${done}/${threshold} ${sealed}`),
    });
    expect(result).toMatchObject({ outcome: 'unsealed', sealed: false });
    expect(progress.slice(0, 2)).toEqual(['1/3 true', '2/3 true']);
    expect(progress).toHaveLength(3);
    expect(submitted(front)).toBe(3);
    expect(await sys.health()).toMatchObject({ state: 'active' });

    const [again] = await sys.unseal(server.unsealKeys);
    expect(again).toMatchObject({ outcome: 'already-unsealed' });
    expect(submitted(front)).toBe(3);
  });

  it('too few keys, a key twice, a half-done attempt, a wrong key', async () => {
    const { sys, server } = await start({ storage: 'file', seal: { shares: 3, threshold: 2 } });
    await server.seal();
    const [first, second] = server.unsealKeys as [string, string];
    await expect(sys.unseal([first, first])).rejects.toMatchObject({
      code: 'VAULT_SEALED',
      message: expect.stringContaining('1 of 2') as unknown,
    });
    // The first key is still in: the second alone opens the server, unless the attempt is started over.
    await expect(sys.unseal([second], { reset: true })).rejects.toMatchObject({ code: 'VAULT_SEALED' });
    expect(await sys.unseal([first])).toMatchObject([{ outcome: 'unsealed' }]);
    await server.seal();
    const wrong = `${first.startsWith('A') ? 'B' : 'A'}${first.slice(1)}`;
    const error = await sys.unseal([wrong, second]).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: 'VAULT_REQUEST', statusCode: 400 });
    expect((error as Error).message).not.toContain(second);
    for (const keys of [[], [''], [7 as never]])
      await expect(sys.unseal(keys)).rejects.toMatchObject({ code: 'VAULT_INVALID_OPTION' });
  });

  it('several servers', async () => {
    const one = await start({ storage: 'file' });
    const two = await start({ storage: 'file' });
    await one.server.seal();
    await two.server.seal();
    // Each has its own key: of the two given, the second fits the second server only after the first was refused.
    await expect(one.sys.unseal(one.server.unsealKeys, { endpoints: [one.front.endpoint] })).resolves.toMatchObject([
      { outcome: 'unsealed' },
    ]);
    await expect(
      one.sys.unseal(two.server.unsealKeys, { endpoints: [one.front.endpoint, two.front.endpoint] }),
    ).resolves.toMatchObject([
      { endpoint: one.front.endpoint, outcome: 'already-unsealed' },
      { endpoint: two.front.endpoint, outcome: 'unsealed' },
    ]);
  });
});
