import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import type { VaultEvent, VaultModuleOptions } from '../../lib/index.js';
import { VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { createCertificates, startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';
import { startConnectProxy } from '../support/connect-proxy.js';
import type { FaultServer, FaultServerOptions } from '../support/fault-server.js';
import { forwardTo, startFaultServer } from '../support/fault-server.js';
import { RaftCluster } from '../support/raft-cluster.js';

const PREFIX = '/team-a/vault';
const variables = { ...process.env };
const ends: (() => Promise<unknown>)[] = [];
let gateways: FaultServer[];

beforeEach(() => {
  gateways = [];
  delete process.env['BAO_ADDR'];
});
afterEach(async () => {
  process.env = { ...variables };
  for (const end of ends.splice(0).reverse()) await end();
});

/** A gateway that serves a Vault server below a prefix, and responds 404 to everything else. */
async function startGateway(endpoint: string, options: FaultServerOptions = {}, ca?: string): Promise<string> {
  const gateway = await startFaultServer(forwardTo(endpoint, { prefix: PREFIX, ...(ca && { ca }) }), options);
  gateways.push(gateway);
  ends.push(() => gateway.close());
  return gateway.endpoint + PREFIX;
}

async function startServer(options: Parameters<typeof startVaultServer>[0] = {}): Promise<VaultServer> {
  const server = await startVaultServer(options);
  ends.push(() => server.stop());
  return server;
}

async function prepare(server: VaultServer): Promise<VaultModuleOptions> {
  await server.seed({ 'secret/app': { PASSWORD: 'p' } });
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('PUT', 'sys/policies/acl/app', {
    policy: 'path "secret/*" { capabilities = ["read", "create", "update", "list"] }',
  });
  await server.request('POST', 'auth/userpass/users/app', {
    password: 'pw-of-app',
    token_policies: ['app'],
    token_ttl: '3s',
  });
  return { auth: { method: 'userpass', username: 'app', password: 'pw-of-app' }, config: { sources: ['app'] } };
}

async function start(options: VaultModuleOptions): Promise<INestApplicationContext> {
  const app = await bootApplication({
    module: class AppModule {},
    imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }), VaultModule.forRoot(options)],
  });
  ends.push(() => app.close());
  return app;
}

const urls = (): string[] => gateways.flatMap(({ requests }) => requests.map(({ method, url }) => `${method} ${url}`));
const outside = (): string[] => urls().filter((url) => !url.includes(` ${PREFIX}/v1/`));
const tokens = async (server: VaultServer): Promise<number> =>
  (await server.request<{ data: { keys: string[] } }>('GET', 'auth/token/accessors?list=true')).body.data.keys.length;

describe('a path prefix of the address', () => {
  it.each(['an option', 'a variable'])('given as %s sends every request below it', async (given) => {
    const server = await startServer();
    const options = await prepare(server);
    const before = await tokens(server);
    const endpoint = await startGateway(server.endpoint);
    if (given === 'a variable') process.env['VAULT_ADDR'] = `${endpoint}/`;
    const app = await start({ ...options, ...(given === 'an option' && { endpoint }) });
    const vault = app.get(VaultService);
    expect(app.get(ConfigService).get('PASSWORD')).toBe('p');
    const renewed = new Promise<VaultEvent>((resolve) =>
      vault.events$.subscribe((event) => event.type === 'token-renewed' && resolve(event)),
    );
    await vault.kv().write('app', { PASSWORD: 'q' });
    expect(await vault.client.read('secret/data/app')).toMatchObject({ data: { data: { PASSWORD: 'q' } } });
    expect(await vault.client.list('secret/metadata')).toMatchObject({ data: { keys: ['app'] } });
    expect(await vault.kv().list()).toEqual(['app']);
    expect(await vault.sys.health()).toMatchObject({ sealed: false });
    expect(await vault.sys.sealStatus()).toMatchObject({ sealed: false });
    await vault.refresh();
    await renewed;
    const denied: unknown = await vault.read('sys/mounts').catch((error: unknown) => error);
    expect(denied).toMatchObject({ code: 'VAULT_PERMISSION_DENIED', endpoint, path: 'sys/mounts' });
    await app.close();
    expect(outside()).toEqual([]);
    for (const path of ['auth/userpass/login/app', 'auth/token/renew-self', 'auth/token/revoke-self', 'sys/health'])
      expect(urls().some((url) => url.includes(path))).toBe(true);
    expect(await tokens(server)).toBe(before);
  });

  it('with a mistake in it does not start, and names the whole address', async () => {
    const server = await startServer();
    const endpoint = (await startGateway(server.endpoint)).replace('vault', 'valut');
    const error: unknown = await start({ ...(await prepare(server)), endpoint }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'VAULT_BAD_RESPONSE', endpoint });
  });

  it('passes over a sealed server, and unseals it below its prefix', async () => {
    const [sealed, open] = await Promise.all([startServer({ storage: 'file' }), startServer({ storage: 'file' })]);
    const options = await prepare(open);
    await sealed.seal();
    const endpoint = [await startGateway(sealed.endpoint), await startGateway(open.endpoint)];
    const app = await start({ ...options, endpoint });
    const vault = app.get(VaultService);
    await vault.sys.unseal(sealed.unsealKeys, { endpoints: [`${endpoint[0]}/`] });
    expect((await sealed.request('GET', 'sys/seal-status')).body).toMatchObject({ sealed: false });
    await app.close();
    expect(gateways[0]!.requests.map(({ url }) => url)).toContain(`${PREFIX}/v1/sys/health`);
    expect(outside()).toEqual([]);
  });

  it('finds the active server of a cluster again after the leader has stepped down', async () => {
    const cluster = await RaftCluster.start();
    ends.push(() => cluster.stop());
    const leader = (await cluster.leader())!;
    const options = await prepare(leader.server);
    const { ca, cert, key } = await createCertificates();
    const endpoint = await Promise.all(
      cluster.endpoints.map((address) => startGateway(address, { tls: { cert, key } }, cluster.ca)),
    );
    const app = await start({ ...options, endpoint, tls: { ca } });
    const kv = app.get(VaultService).kv();
    await kv.write('app', { PASSWORD: 'q' });
    await leader.server.request('PUT', 'sys/step-down');
    expect((await kv.read('app')).data).toEqual({ PASSWORD: 'q' });
    await app.close();
    expect(outside()).toEqual([]);
  }, 90_000);

  it('reaches it through a proxy and over TLS', async () => {
    const server = await startServer();
    const { ca, cert, key } = await createCertificates();
    const proxy = await startConnectProxy();
    ends.push(() => proxy.close());
    const endpoint = await startGateway(server.endpoint, { tls: { cert, key } });
    const request = { proxy: `http://127.0.0.1:${proxy.port}` };
    const app = await start({ ...(await prepare(server)), endpoint, tls: { ca }, request });
    await app.close();
    expect(proxy.asked.map(({ target }) => target)).toContain(new URL(endpoint).host);
    expect(outside()).toEqual([]);
  });
});
