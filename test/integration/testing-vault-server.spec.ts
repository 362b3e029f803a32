import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { inspect } from 'node:util';
import { createServer } from 'node:net';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { isVaultError } from '../../lib/errors/index.js';
import { startVaultServer, VaultTestServerError } from '../../lib/testing/index.js';
import type { VaultServer, VaultServerOptions } from '../../lib/testing/index.js';

const started: VaultServer[] = [];
async function start(options: VaultServerOptions = {}): Promise<VaultServer> {
  const server = await startVaultServer(options);
  started.push(server);
  return server;
}
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

async function listenOn(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}

describe('startVaultServer', () => {
  it('starts an unsealed server in memory, with KV version 2 at secret/', async () => {
    const server = await start();

    expect(server.endpoint).toBe(`http://127.0.0.1:${server.port}`);
    expect(server.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(server.unsealKeys).toHaveLength(1);
    expect(server.ca).toBeUndefined();
    const health = await fetch(`${server.endpoint}/v1/sys/health`);
    expect(await health.json()).toMatchObject({ initialized: true, sealed: false, standby: false });
    expect((await server.request('GET', 'sys/mounts')).body).toMatchObject({
      data: { 'secret/': { type: 'kv', options: { version: '2' } } },
    });
    expect(process.kill(server.pid, 0)).toBe(true);
  });

  it('starts two independent servers', async () => {
    const [one, other] = await Promise.all([start(), start()]);
    await one.seed({ 'secret/only-here': { A: 1 } });

    expect(one.endpoint).not.toBe(other.endpoint);
    expect(one.rootToken).not.toBe(other.rootToken);
    const read = (server: VaultServer) =>
      server.request('GET', 'secret/data/only-here', undefined, { throwOnError: false });
    expect((await read(one)).status).toBe(200);
    expect((await read(other)).status).toBe(404);
  });

  it('prints nothing and keeps the output of the server', async () => {
    const spies = [jest.spyOn(process.stdout, 'write'), jest.spyOn(process.stderr, 'write')];
    const pieces: string[] = [];
    const server = await start({ onOutput: (text) => pieces.push(text) });
    await server.stop();

    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    expect(server.output()).toContain('server started!');
    expect(pieces.join('')).toBe(server.output());
    expect(server.output()).not.toContain(server.rootToken);
    expect(server.output()).not.toContain(server.unsealKeys[0]);
  });

  it("hides the caller's environment from the server", async () => {
    process.env['VAULT_API_ADDR'] = 'http://127.0.0.1:1';
    process.env['BAO_TOKEN'] = 'never';
    try {
      const server = await start();
      expect(/Environment Variables: (.*)/.exec(server.output())?.[1]).toMatch(
        // The shell in between adds the last three.
        /^(?:(?:HOME|PATH|TMPDIR|PWD|SHLVL|_)(?:, )?)+$/,
      );
    } finally {
      delete process.env['VAULT_API_ADDR'];
      delete process.env['BAO_TOKEN'];
    }
  });

  it('uses the requested root token as the only one', async () => {
    const server = await start({ rootToken: 'my-root-token' });

    expect(server.rootToken).toBe('my-root-token');
    const { body } = await server.request('GET', 'auth/token/lookup-self');
    expect(body).toMatchObject({ data: { id: 'my-root-token', policies: ['root'], ttl: 0, orphan: true } });
    const accessors = await server.request('LIST', 'auth/token/accessors');
    expect((accessors.body as { data: { keys: string[] } }).data.keys).toHaveLength(1);
  });

  it('applies further configuration', async () => {
    const server = await start({ config: { default_lease_ttl: '90s', max_lease_ttl: '120s' } });
    const { body } = await server.request('POST', 'auth/token/create', { policies: ['default'] });
    expect(body).toMatchObject({ auth: { lease_duration: 90 } });
  });

  it('leaves a server uninitialized with initialize: false', async () => {
    const server = await start({ initialize: false });

    expect(server.rootToken).toBe('');
    expect(server.unsealKeys).toEqual([]);
    expect((await server.request('GET', 'sys/init')).body).toEqual({ initialized: false });
    expect((await server.request('GET', 'sys/health', undefined, { throwOnError: false })).status).toBe(501);
  });

  it('generates several unseal keys, seals and unseals', async () => {
    const server = await start({ seal: { shares: 3, threshold: 2 } });
    expect(server.unsealKeys).toHaveLength(3);

    await server.seal();
    expect((await server.request('GET', 'sys/seal-status')).body).toMatchObject({ sealed: true, t: 2, n: 3 });
    await expect(server.unseal(server.unsealKeys.slice(0, 1))).rejects.toThrow('still sealed after 1 unseal key');
    await server.unseal(server.unsealKeys.slice(1));
    expect((await server.request('GET', 'sys/health')).status).toBe(200);
  });

  it('aborts before and during the start', async () => {
    await expect(startVaultServer({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'VAULT_ABORTED' });

    const controller = new AbortController();
    let printed = '';
    const starting = startVaultServer({
      signal: controller.signal,
      onOutput: (text) => {
        printed += text;
        if (printed.includes('security barrier not initialized')) controller.abort();
      },
    });
    await expect(starting).rejects.toMatchObject({ code: 'VAULT_ABORTED' });
    expect(printed).toContain('security barrier not initialized');
  });
});

describe('VaultServer.stop', () => {
  it('ends the server, frees the port and removes every file; a second call does nothing', async () => {
    const server = await start({ tls: true });
    const { pid, port, caFile } = server;
    expect(existsSync(caFile ?? '')).toBe(true);

    await Promise.all([server.stop(), server.stop()]);
    await server.stop();

    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await expect(listenOn(port)).resolves.toBeUndefined();
    expect(existsSync(dirname(caFile ?? ''))).toBe(false);
    await expect(server.request('GET', 'sys/health')).rejects.toThrow(`${server.endpoint} gave no response`);
  });

  it('accepts a server that has already ended', async () => {
    const server = await start();
    process.kill(server.pid, 'SIGKILL');
    await server.stop();
    await expect(listenOn(server.port)).resolves.toBeUndefined();
  });

  it('runs at the end of "await using"', async () => {
    const server = await start();
    await server[Symbol.asyncDispose]();
    expect(() => process.kill(server.pid, 0)).toThrow('ESRCH');
  });
});

describe('VaultServer.seed', () => {
  it('writes to KV mounts of both versions and creates missing mounts', async () => {
    const server = await start();
    await server.request('POST', 'sys/mounts/old/kv', { type: 'kv', options: { version: '1' } });
    const value = { text: 'ä', number: 1.5, flag: false, list: [1, 'two'], nested: { deep: null } };
    await server.seed({ 'secret/a/b c': value, 'old/kv/app': { OLD: 1 }, 'team/app': { NEW: 2 } });

    expect((await server.request('GET', 'secret/data/a/b%20c')).body).toMatchObject({ data: { data: value } });
    expect((await server.request('GET', 'old/kv/app')).body).toMatchObject({ data: { OLD: 1 } });
    expect((await server.request('GET', 'team/data/app')).body).toMatchObject({ data: { data: { NEW: 2 } } });
  });

  it.each([
    ['secret', 'VAULT_TEST_SERVER'],
    ['secret/', 'VAULT_INVALID_PATH'],
    ['/secret/a', 'VAULT_INVALID_PATH'],
    ['secret/../sys/policy/x', 'VAULT_INVALID_PATH'],
    ['sys/policy', 'VAULT_TEST_SERVER'],
  ])('rejects the path %s', async (path, code) => {
    const server = await start();
    await expect(server.seed({ [path]: { A: 1 } })).rejects.toMatchObject({ code });
  });
});

describe('VaultServer.request', () => {
  it('throws the errors of the server without the values sent', async () => {
    const server = await start();
    const failure: unknown = await server
      .request('POST', 'sys/mounts/x', { type: 'no-such-canary-type', description: 'canary-value' })
      .catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(VaultTestServerError);
    expect(isVaultError(failure)).toBe(true);
    expect(failure).toMatchObject({ code: 'VAULT_TEST_SERVER', problem: 'request', statusCode: 400 });
    const text = inspect(failure, { depth: Infinity }) + JSON.stringify(failure);
    expect(text).toContain('POST sys/mounts/x');
    expect(text).not.toMatch(/canary/);
    expect(text).not.toContain(server.rootToken);
  });

  it('sends another token, no token, and a namespace', async () => {
    const server = await start();
    const status = async (token: string) =>
      (await server.request('GET', 'auth/token/lookup-self', undefined, { token, throwOnError: false })).status;
    expect(await status(server.rootToken)).toBe(200);
    expect(await status('wrong')).toBe(403);
    expect(await status('')).toBe(403);

    await server.request('POST', 'sys/namespaces/team');
    await server.request('POST', 'sys/mounts/kv', { type: 'kv' }, { namespace: 'team' });
    expect((await server.request('GET', 'sys/mounts', undefined, { namespace: 'team' })).body).toMatchObject({
      data: { 'kv/': { type: 'kv' } },
    });
  });
});
