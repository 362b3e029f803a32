import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findServerBinary } from '../../lib/server/find-binary.js';
import { startVaultServer } from '../../lib/testing/index.js';
import type { VaultServer } from '../../lib/testing/index.js';

let directory: string;
const started: VaultServer[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'failures-spec-'));
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
  await rm(directory, { recursive: true, force: true });
});

/** A program that passes for a server and then does something else. */
async function fakeServer(script: string): Promise<string> {
  const path = join(directory, 'bao');
  await writeFile(path, `#!/bin/sh\nif [ "$1" = version ]; then echo "OpenBao v2.6.2"; exit; fi\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

async function realServer(): Promise<string> {
  const found = await findServerBinary();
  if (found.kind !== 'program') throw new Error('This test needs a server program, and Docker was found only.');
  return found.path;
}

describe('startVaultServer fails', () => {
  it('startVaultServer quotes the output of a server that exits at once', async () => {
    const binary = await fakeServer('echo "line one"; echo "storage is on fire" >&2; exit 3');
    let printed = '';
    const failure = startVaultServer({ binary, onOutput: (text) => (printed += text) });
    await expect(failure).rejects.toMatchObject({ code: 'VAULT_TEST_SERVER', problem: 'start' });
    await expect(failure).rejects.toThrow(/exit code 3(.|\n)*line one(.|\n)*storage is on fire/);
    await expect(failure).rejects.toThrow(binary);
    // Once: other ports would not help.
    expect(printed.match(/line one/g)).toHaveLength(1);
  });

  it('startVaultServer ends a server that never becomes ready', async () => {
    const binary = await fakeServer('echo "pid $$"; exec sleep 600');
    let output = '';
    const failure = startVaultServer({ binary, startTimeoutMs: 3000, onOutput: (text) => (output += text) });
    await expect(failure).rejects.toThrow('was not ready within 3000 ms');
    expect(() => process.kill(Number(/pid (\d+)/.exec(output)?.[1]), 0)).toThrow('ESRCH');
  });

  it('startVaultServer rejects a configuration that the server rejects', async () => {
    await expect(startVaultServer({ config: { storage: { nothing: {} } } })).rejects.toThrow(/storage type/i);
  });

  it('startVaultServer error has advice for an unsupported storage', async () => {
    const binary = await fakeServer('echo "unknown storage type file"; exit 1');
    await expect(startVaultServer({ binary, storage: 'file' })).rejects.toThrow(
      /unknown storage type file\nOpenBao 2\.7 .* use storage "raft"/,
    );
  });

  it('startVaultServer fails when the requested port is in use', async () => {
    const first = await startVaultServer();
    started.push(first);
    await expect(startVaultServer({ port: first.port })).rejects.toThrow(/address already in use/);
    expect((await first.request('GET', 'sys/health')).status).toBe(200);
  });

  it('startVaultServer rejects a binary that is not a server', async () => {
    const path = join(directory, 'missing');
    await expect(startVaultServer({ binary: path })).rejects.toMatchObject({
      problem: 'binary',
      message: expect.stringContaining(`The option binary names "${path}"`) as unknown,
    });
  });

  it.each([
    ['the seal makes no sense', { seal: { shares: 1, threshold: 2 } }, /sys\/init with 400/],
    ['the root token is one the server refuses', { rootToken: 's.refused' }, /custom token ID/],
  ])('startVaultServer leaves nothing behind when %s', async (_, options, message) => {
    const binary = await fakeServer(`echo "pid $$ in $PWD."; exec ${await realServer()} "$@"`);
    let output = '';
    await expect(startVaultServer({ ...options, binary, onOutput: (text) => (output += text) })).rejects.toThrow(
      message,
    );
    const [, pid, scratchDir = ''] = /pid (\d+) in (.*)\./.exec(output) ?? [];
    expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
    expect(scratchDir).toContain('nestjs-vault-');
    expect(existsSync(scratchDir)).toBe(false);
  });
});

describe('startVaultServer retries', () => {
  it('startVaultServer uses another port when the first is taken', async () => {
    const server = await realServer();
    const marker = join(directory, 'second');
    const binary = await fakeServer(
      `[ -e ${marker} ] && exec ${server} "$@"\n` +
        `touch ${marker}; echo "listen tcp4 127.0.0.1:1: bind: address already in use"; exit 1`,
    );
    const running = await startVaultServer({ binary });
    started.push(running);
    expect(running.output()).toContain('address already in use');
    expect((await running.request('GET', 'sys/health')).status).toBe(200);
  });
});
