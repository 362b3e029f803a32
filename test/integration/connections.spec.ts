import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTls } from '../../lib/boot/resolve-tls.js';
import { VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { createCertificates, startVaultServer } from '../../lib/testing/index.js';
import { NestFactory } from '@nestjs/core';
import { freePort } from '../support/fault-server.js';
import { createClient } from '../support/vault-client.js';

let directory: string;
const path = (name: string): string => join(directory, name);
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nestjs-vault-connections-'));
});
afterAll(() => rm(directory, { recursive: true }));

const environment = { ...process.env };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  process.env = { ...environment };
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(options: Parameters<typeof startVaultServer>[0]): Promise<VaultServer> {
  const server = await startVaultServer(options);
  ends.push(() => server.stop());
  await server.seed({ 'secret/app': { A: 1 } });
  return server;
}

async function status(
  server: VaultServer,
  tls: Parameters<typeof resolveTls>[0],
  endpoint = server.endpoint,
): Promise<unknown> {
  const client = await createClient(endpoint, server.rootToken, { tls: await resolveTls(tls) });
  return client
    .request({ method: 'GET', path: 'secret/data/app' })
    .then(
      (answer) => answer.status,
      (error: { code?: string }) => error.code,
    )
    .finally(() => client.close());
}

describe('over TLS', () => {
  it('a hundred reads at once take one connection', async () => {
    const server = await start({ tls: true });
    let connections = 0;
    const front = net.createServer((near) => {
      connections += 1;
      const far = net.connect(server.port, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
        from.pipe(to);
      }
    });
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => front.close(resolve)));
    const { port } = front.address() as net.AddressInfo;
    process.env['VAULT_ADDR'] = `https://127.0.0.1:${port}`;
    process.env['VAULT_CACERT'] = server.caFile;
    process.env['VAULT_TOKEN'] = server.rootToken;
    const app = await NestFactory.createApplicationContext(VaultModule.forRoot({ config: { sources: ['app'] } }), {
      abortOnError: false,
      logger: false,
    });
    const kv = app.get(VaultService).kv();
    // Again and again: a body that comes in one packet with its headers may be handed over before them.
    for (let round = 0; round < 8; round++) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          await kv.write(`many/${index}`, { index, round });
          expect((await kv.read(`many/${index}`)).data).toEqual({ index, round });
        }),
      );
    }
    expect(connections).toBe(1);
    await app.close();
  });

  it('authorities come from a directory, and an unknown one, another host or a date refuses', async () => {
    const server = await start({ tls: true });
    const { ca: stranger } = await createCertificates();
    await writeFile(path('stranger.pem'), stranger);
    expect(await status(server, { ca: { directory } })).toBe('VAULT_TLS');
    await writeFile(path('ours.pem'), server.ca ?? '');
    expect(await status(server, { ca: { file: path('ours.pem') } })).toBe(200);
    expect(await status(server, { ca: { file: path('ours.pem') }, serverName: 'vault.example.com' })).toBe('VAULT_TLS');
    expect(await status(server, {})).toBe('VAULT_TLS');
    expect(await status(server, { rejectUnauthorized: false })).toBe(200);
    const yesterday = new Date(Date.now() - 86_400_000);
    const expired = await createCertificates({ notBefore: new Date(+yesterday - 1000), notAfter: yesterday });
    expect(await status(await start({ tls: expired }), { ca: expired.ca })).toBe('VAULT_TLS');
  });

  it('a client certificate that is replaced is used from the next connection on', async () => {
    const certificates = await createCertificates({ client: true });
    const server = await start({ tls: certificates });
    const { client: stranger } = await createCertificates({ client: true });
    const tls = { ca: certificates.ca, cert: { file: path('tls.crt') }, key: { file: path('tls.key') } };
    const replace = async (pair: { cert: string; key: string } | undefined): Promise<void> => {
      await writeFile(path('tls.crt'), pair?.cert ?? '');
      await writeFile(path('tls.key'), pair?.key ?? '');
    };
    expect(await status(server, { ca: certificates.ca })).toMatch(/VAULT_(TLS|CONNECTION)/);
    await replace(stranger);
    const client = await createClient(server.endpoint, server.rootToken, { tls: await resolveTls(tls) });
    ends.push(() => client.close());
    const read = () => client.request({ method: 'GET', path: 'secret/data/app' });
    await expect(read()).rejects.toMatchObject({ code: expect.stringMatching(/VAULT_(TLS|CONNECTION)/) as unknown });
    await replace(certificates.client);
    expect((await read()).status).toBe(200);
    // What runs goes on running while a new pair is being written.
    await writeFile(path('tls.key'), 'half');
    expect((await read()).status).toBe(200);
  });
});

it('a unix socket of a real server', async () => {
  const socket = path('bao.sock');
  const port = await freePort();
  const clusterPort = await freePort();
  const server = await start({
    port,
    config: {
      listener: [
        { tcp: { address: `127.0.0.1:${port}`, cluster_address: `127.0.0.1:${clusterPort}`, tls_disable: true } },
        { unix: { address: socket } },
      ],
    },
  });
  expect(await status(server, {}, `unix://${socket}`)).toBe(200);
});
