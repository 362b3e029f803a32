import { afterEach, describe, expect, it } from '@jest/globals';
import { startVaultServer } from '../../lib/testing/index.js';
import type { VaultServer, VaultServerOptions } from '../../lib/testing/index.js';

const started: VaultServer[] = [];
async function start(options: VaultServerOptions = {}): Promise<VaultServer> {
  const server = await startVaultServer(options);
  started.push(server);
  return server;
}
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

describe('startVaultServer', () => {
  it('starts an unsealed server in memory and serves what was seeded', async () => {
    const server = await start();
    await server.seed({ 'secret/my-app': { PASSWORD: 'p' }, 'team/a/b': { n: 1 } });

    const { body } = await server.request('GET', 'secret/data/my-app');
    expect(body).toMatchObject({ data: { data: { PASSWORD: 'p' } } });
    expect((await server.request('GET', 'team/data/a/b')).body).toMatchObject({ data: { data: { n: 1 } } });
  });
});
