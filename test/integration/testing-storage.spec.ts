import { afterEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startVaultServer } from '../../lib/testing/index.js';
import type { VaultServer, VaultServerOptions } from '../../lib/testing/index.js';

const cleanUp: (() => Promise<unknown>)[] = [];
async function start(options: VaultServerOptions): Promise<VaultServer> {
  // OpenBao 2.7 has no storage "file" any more.
  const server = await startVaultServer(options.storage === 'file' ? { ...options, version: '2.6.2' } : options);
  cleanUp.unshift(() => server.stop());
  return server;
}
async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'storage-spec-'));
  cleanUp.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
afterEach(async () => {
  for (const step of cleanUp.splice(0)) await step();
});

const sealed = async (server: VaultServer): Promise<unknown> =>
  ((await server.request('GET', 'sys/seal-status')).body as { sealed: boolean }).sealed;
const secret = async (server: VaultServer): Promise<unknown> =>
  ((await server.request('GET', 'secret/data/my-app')).body as { data: { data: unknown } }).data.data;

describe.each(['file', 'raft'] as const)('storage %s', (storage) => {
  it('data survives a restart, sealed, at the same address', async () => {
    const server = await start({ storage, seal: { shares: 3, threshold: 2 } });
    await server.seed({ 'secret/my-app': { A: 1 } });
    const { endpoint, pid, dataDir } = server;

    await server.restart();
    expect(server.endpoint).toBe(endpoint);
    expect(server.pid).not.toBe(pid);
    expect(await sealed(server)).toBe(true);

    await server.unseal();
    expect(await secret(server)).toEqual({ A: 1 });

    await server.stop();
    expect(existsSync(dataDir ?? '')).toBe(false);
    await expect(server.restart()).rejects.toMatchObject({ code: 'VAULT_TEST_SERVER', problem: 'usage' });
  });

  it('data survives a crash', async () => {
    const server = await start({ storage });
    await server.seed({ 'secret/my-app': { A: 1 } });
    process.kill(server.pid, 'SIGKILL');
    await server.restart();
    await server.unseal();
    expect(await secret(server)).toEqual({ A: 1 });
  });

  it('startVaultServer reuses an existing data directory and port', async () => {
    const dataDir = await temporaryDirectory();
    const first = await start({ storage, dataDir, rootToken: 'root' });
    await first.seed({ 'secret/my-app': { A: 1 } });
    await first.stop();
    expect(existsSync(dataDir)).toBe(true);

    const { port, unsealKeys } = first;
    const second = await start({ storage, dataDir, port, rootToken: 'root', unsealKeys: [...unsealKeys] });
    expect(second.endpoint).toBe(first.endpoint);
    expect(await secret(second)).toEqual({ A: 1 });
    await second.stop();

    const third = await start({ storage, dataDir, rootToken: 'root' });
    expect(await sealed(third)).toBe(true);
    await third.unseal(unsealKeys);
    expect(await secret(third)).toEqual({ A: 1 });
  });
});

describe('storage dev', () => {
  it('restart() rejects dev storage', async () => {
    const server = await start({});
    expect(server.dataDir).toBeUndefined();
    await expect(server.restart()).rejects.toThrow('start it with storage "file" or "raft"');
    expect((await server.request('GET', 'sys/health')).status).toBe(200);
  });
});
