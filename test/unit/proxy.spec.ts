import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as http from 'node:http';
import type * as https from 'node:https';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentProxy } from '../../lib/client/connections/proxy-address.js';
import type { ClientOptions } from '../../lib/client/client-options.js';
import type { VaultError } from '../../lib/index.js';
import { createCertificates } from '../../lib/testing/index.js';
import type { ConnectProxy } from '../support/connect-proxy.js';
import { startConnectProxy } from '../support/connect-proxy.js';
import { canary, findLeaks, renderError } from '../support/canary.js';
import type { FaultServer } from '../support/fault-server.js';
import * as fault from '../support/fault-server.js';
import { json, startHttp2Server } from '../support/http2-server.js';
import { createClient } from '../support/vault-client.js';

const TOKEN = canary('token');
const PASSWORD = canary('password');
const ends: (() => Promise<unknown> | void)[] = [];
const environment = { ...process.env };
afterEach(async () => {
  process.env = { ...environment };
  for (const end of ends.splice(0).reverse()) await end();
});

async function startProxy(...how: Parameters<typeof startConnectProxy>): Promise<ConnectProxy> {
  const proxy = await startConnectProxy(...how);
  ends.push(() => proxy.close());
  return proxy;
}

async function call(endpoint: string, options: Partial<ClientOptions> = {}): Promise<unknown> {
  const client = await createClient(endpoint, TOKEN, options);
  try {
    return (await client.request({ method: 'GET', path: 'x' })).body;
  } finally {
    await client.close();
  }
}

async function failure(work: Promise<unknown>): Promise<VaultError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  expect(findLeaks(renderError(error))).toEqual([]);
  return error as VaultError;
}

async function startServer(tls?: https.ServerOptions): Promise<FaultServer> {
  const server = await fault.startFaultServer(fault.json(200, { data: 1 }), tls ? { tls } : {});
  ends.push(() => server.close());
  return server;
}

describe('a proxy', () => {
  it('connects through to a plain server, with its credentials, and these go no further', async () => {
    const server = await startServer();
    const proxy = await startProxy();
    const address = `http://u%40ser:${PASSWORD}@127.0.0.1:${proxy.port}/`;
    expect(await call(server.endpoint, { proxy: address })).toEqual({ data: 1 });
    const basic = Buffer.from(`u@ser:${PASSWORD}`).toString('base64');
    expect(proxy.asked).toEqual([{ target: `127.0.0.1:${server.port}`, authorization: `Basic ${basic}` }]);
    expect(JSON.stringify(server.requests[0]?.headers)).not.toContain(basic);
  });

  it('connects through to a TLS server, whose certificate is verified all the same', async () => {
    const { ca, cert, key } = await createCertificates();
    const server = await startServer({ cert, key });
    const proxy = await startProxy();
    const address = `http://127.0.0.1:${proxy.port}/`;
    expect(await call(server.endpoint, { proxy: address, tls: { ca } })).toEqual({ data: 1 });
    expect(proxy.asked).toEqual([{ target: `127.0.0.1:${server.port}`, authorization: undefined }]);
    const { ca: stranger } = await createCertificates();
    expect(await failure(call(server.endpoint, { proxy: address, tls: { ca: stranger } }))).toMatchObject({
      code: 'VAULT_TLS',
    });
  });

  it('speaks TLS itself, and HTTP/2 goes through it', async () => {
    const certificates = await createCertificates();
    const { ca, cert, key } = certificates;
    const server = await startHttp2Server(json({ data: 2 }), {}, certificates);
    ends.push(() => server.close());
    const proxy = await startProxy(undefined, { cert, key });
    const address = `https://127.0.0.1:${proxy.port}/`;
    expect(await call(server.endpoint, { proxy: address, tls: { ca } })).toEqual({ data: 2 });
    expect(proxy.asked).toHaveLength(1);
    const { ca: stranger } = await createCertificates();
    expect(await failure(call(server.endpoint, { proxy: address, tls: { ca: stranger } }))).toMatchObject({
      code: 'VAULT_CONNECTION',
      message: expect.stringMatching(/through the proxy https:.*request\.proxy/) as unknown,
    });
  });

  it('of the process is not used unless it is asked for', async () => {
    const server = await startServer();
    const proxy = await startProxy();
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'])
      process.env[name] = `http://127.0.0.1:${proxy.port}`;
    expect(await call(server.endpoint)).toEqual({ data: 1 });
    expect(proxy.asked).toEqual([]);
  });

  it.each<[string, string, object]>([
    [
      'wants other credentials',
      'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n',
      {
        code: 'VAULT_INVALID_OPTION',
        reason: 'status 407',
        message: expect.stringMatching(/user name and password.*request\.proxy.*VAULT_PROXY_ADDR/) as unknown,
      },
    ],
    [
      'refuses',
      'HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\nnope',
      {
        code: 'VAULT_CONNECTION',
        reason: 'status 403',
        message: expect.stringMatching(/through the proxy http:\/\/127\.0\.0\.1:\d+: status 403.*rules/) as unknown,
      },
    ],
    ['cannot reach the server', 'HTTP/1.1 502 Bad Gateway\r\n\r\n', { code: 'VAULT_CONNECTION', reason: 'status 502' }],
    ['hangs up', ' ', { code: 'VAULT_CONNECTION' }],
    ['speaks something else', 'SSH-2.0-OpenSSH\r\n', { code: 'VAULT_CONNECTION' }],
    ['never answers', '', { code: 'VAULT_CONNECTION', reason: 'ETIMEDOUT' }],
  ])('that %s', async (_, answer, expected) => {
    const proxy = await startProxy(answer);
    const address = `http://user:${PASSWORD}@127.0.0.1:${proxy.port}/`;
    for (const endpoint of ['http://127.0.0.1:9', 'https://127.0.0.1:9']) {
      const limits = answer === '' ? { connectTimeoutMs: 300 } : {};
      expect(await failure(call(endpoint, { proxy: address, ...limits }))).toMatchObject(expected);
    }
  });

  it('that nobody runs is named', async () => {
    const proxy = `http://user:${PASSWORD}@127.0.0.1:${await fault.freePort()}/`;
    const error = await failure(call('https://127.0.0.1:9', { proxy }));
    expect(error).toMatchObject({ code: 'VAULT_CONNECTION', reason: 'ECONNREFUSED' });
    expect(error.message).toMatch(/through the proxy.*Check "request\.proxy"/);
  });

  it('before a unix socket is refused', async () => {
    const error = await failure(call('unix:///run/agent.sock', { proxy: 'http://127.0.0.1:1/' }));
    expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
  });

  it('that is asked while the application closes is let go', async () => {
    const proxy = await startProxy('');
    const client = await createClient('https://127.0.0.1:9', TOKEN, { proxy: `http://127.0.0.1:${proxy.port}/` });
    const pending = failure(client.request({ method: 'GET', path: 'x' }));
    while (proxy.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await client.close();
    expect(await pending).toMatchObject({ code: 'VAULT_CLOSED' });
  });
});

describe('a unix socket', () => {
  it('carries calls, is named in errors, and follows no redirect', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nestjs-vault-socket-'));
    ends.push(() => rm(directory, { recursive: true }));
    const path = join(directory, 'agent.sock');
    const endpoint = `unix://${path}`;
    const error = await failure(call(endpoint));
    expect(error).toMatchObject({ code: 'VAULT_CONNECTION', reason: 'ENOENT' });
    expect(error.message).toContain(endpoint);
    let redirect = false;
    const server = http.createServer((request, response) => {
      if (redirect) return void response.writeHead(307, { location: '/v1/y' }).end();
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ host: request.headers.host }));
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    ends.push(() => new Promise((resolve) => server.close(resolve)));
    expect(await call(endpoint)).toEqual({ host: 'localhost' });
    redirect = true;
    expect(await failure(call(endpoint))).toMatchObject({ code: 'VAULT_BAD_RESPONSE' });
  });
});

describe('the proxy of the environment', () => {
  const asks = (endpoint: string): string | undefined => environmentProxy(endpoint)?.value;
  beforeEach(() => {
    for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'ALL_PROXY'])
      for (const variable of [name, name.toLowerCase()]) delete process.env[variable];
  });

  it('is chosen by scheme, the lower-case name first', () => {
    Object.assign(process.env, { HTTPS_PROXY: 'http://a', HTTP_PROXY: 'http://b' });
    expect([asks('https://vault:8200'), asks('http://vault:8200'), asks('unix:///run/vault.sock')]).toEqual([
      'http://a',
      'http://b',
      undefined,
    ]);
    process.env['https_proxy'] = 'http://c';
    expect(asks('https://vault:8200')).toBe('http://c');
  });

  it.each([
    ['*', 'https://vault.example.com', false],
    ['example.com', 'https://example.com', false],
    ['example.com', 'https://vault.example.com', false],
    ['example.com', 'https://notexample.com', true],
    ['.example.com', 'https://vault.example.com', false],
    ['*.example.com', 'https://vault.example.com', false],
    ['.example.com', 'https://example.com', true],
    ['EXAMPLE.com', 'https://Vault.Example.COM', false],
    ['vault:8200', 'https://vault:8200', false],
    ['vault:8201', 'https://vault:8200', true],
    ['vault:443', 'https://vault', false],
    ['a, b vault', 'https://vault:8200', false],
    ['10.0.0.0/8', 'https://10.1.2.3:8200', false],
    ['10.0.0.0/8', 'https://11.1.2.3:8200', true],
    ['10.0.0.0/99', 'https://10.1.2.3:8200', true],
    ['10.1.2.3', 'https://10.1.2.3:8200', false],
    ['2001:db8::/32', 'https://[2001:db8::1]:8200', false],
    ['[2001:db8::1]:8200', 'https://[2001:db8::1]:8200', false],
    ['', 'https://vault:8200', true],
    ['', 'https://127.0.0.1:8200', false],
    ['', 'https://localhost:8200', false],
    ['', 'https://[::1]:8200', false],
  ])('with NO_PROXY %j and %s is asked: %s', (NO_PROXY, endpoint, asked) => {
    Object.assign(process.env, { HTTPS_PROXY: 'http://proxy', NO_PROXY });
    expect(asks(endpoint)).toBe(asked ? 'http://proxy' : undefined);
  });

  it('is used where the option says so, and refused naming the variable, without its password, when it is no address', async () => {
    const proxy = await startProxy('HTTP/1.1 403 Forbidden\r\n\r\n');
    process.env['http_proxy'] = `http://user:${PASSWORD}@127.0.0.1:${proxy.port}`;
    await failure(call('http://vault.test:8200', { proxy: 'environment' }));
    expect(proxy.asked.map(({ target }) => target)).toContain('vault.test:8200');
    process.env['http_proxy'] = `socks5://user:${PASSWORD}@127.0.0.1:1`;
    expect(await failure(call('http://vault.test:8200', { proxy: 'environment' }))).toMatchObject({
      code: 'VAULT_INVALID_OPTION',
      message: expect.stringContaining('http_proxy') as unknown,
    });
  });

  it('is named in the error of a connection that could not be made, when it was not used', async () => {
    const endpoint = `http://127.0.0.1:${await fault.freePort()}`;
    expect((await failure(call(endpoint))).message).not.toContain('PROXY');
    process.env['HTTPS_PROXY'] = `http://user:${PASSWORD}@proxy:3128`;
    expect((await failure(call(endpoint))).message).toMatch(
      /HTTPS_PROXY is set.*"request\.proxy".*"environment".*VAULT_PROXY_ADDR/,
    );
  });
});

it('the proxy of the environment is named when a call ends before it has a connection, and not when it has one', async () => {
  for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'])
    for (const variable of [name, name.toLowerCase()]) delete process.env[variable];
  const deaf = await fault.startFaultServer('deaf');
  ends.push(() => deaf.close());
  const endpoint = deaf.endpoint.replace('http:', 'https:');
  const timeout = async (): Promise<VaultError> => {
    const error = await failure(call(endpoint, { timeoutMs: 200 }));
    expect(error).toMatchObject({ code: 'VAULT_TIMEOUT' });
    return error;
  };
  process.env['ALL_PROXY'] = `http://user:${PASSWORD}@proxy:3128`;
  expect((await timeout()).message).not.toContain('PROXY');
  process.env['https_proxy'] = `http://user:${PASSWORD}@proxy:3128`;
  expect((await timeout()).message).toMatch(/https_proxy is set.*"environment"/);
  const silent = await fault.startFaultServer(fault.silent());
  ends.push(() => silent.close());
  expect((await failure(call(silent.endpoint, { timeoutMs: 200 }))).message).not.toContain('https_proxy');
});

it('NODE_TLS_REJECT_UNAUTHORIZED is named in the error of a certificate that is not trusted', async () => {
  const { cert, key } = await createCertificates();
  const server = await startServer({ cert, key });
  expect((await failure(call(server.endpoint))).message).not.toContain('NODE_TLS');
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  expect(await failure(call(server.endpoint))).toMatchObject({
    code: 'VAULT_TLS',
    message: expect.stringMatching(/NODE_TLS_REJECT_UNAUTHORIZED is set, and does not count/) as unknown,
  });
});
