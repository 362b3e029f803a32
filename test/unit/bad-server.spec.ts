import { afterEach, describe, expect, it } from '@jest/globals';
import { lookUpToken } from '../../lib/auth/submit-login.js';
import { Kv2Engine } from '../../lib/engines/kv2.engine.js';
import { LogicalEngine } from '../../lib/engines/logical.engine.js';
import { createCertificates } from '../../lib/testing/index.js';
import type { VaultError } from '../../lib/index.js';
import { isVaultError } from '../../lib/index.js';
import type { ClientOptions } from '../../lib/client/client-options.js';
import { canary, findLeaks, renderError } from '../support/canary.js';
import type { FaultHandler, FaultServer, FaultServerOptions } from '../support/fault-server.js';
import * as fault from '../support/fault-server.js';
import { createClient } from '../support/vault-client.js';

const TOKEN = canary('token');
const PASSWORD = canary('password');
let server: FaultServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Writes a password to a server that answers so, and returns the error: with no secret in it and no connection left. */
async function failureOf(
  answer: FaultHandler | 'deaf',
  options: Partial<ClientOptions> = {},
  serverOptions: FaultServerOptions = {},
): Promise<VaultError> {
  const started = await fault.startFaultServer(answer, serverOptions);
  server = started;
  return failureAt(options.endpoint ?? started.endpoint, options, started, answer);
}

async function failureAt(
  endpoint: string,
  options: Partial<ClientOptions> = {},
  started?: FaultServer,
  answer?: FaultHandler | 'deaf',
): Promise<VaultError> {
  const client = await createClient(endpoint, TOKEN, { ...options, endpoint });
  const error = await client
    .request({ method: 'POST', path: 'secret/data/my-app', body: { data: { password: PASSWORD } } })
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  await client.close();
  // A server that never reads does not notice that it is left.
  if (answer !== 'deaf') await started?.until(() => started.connections === 0);
  expect(isVaultError(error)).toBe(true);
  expect(findLeaks(renderError(error))).toEqual([]);
  expect((error as VaultError).message).toContain(endpoint);
  expect((error as VaultError).message).toContain('secret/data/my-app');
  return error as VaultError;
}

describe('no answer', () => {
  it('nobody listening', async () => {
    const error = await failureAt(`http://127.0.0.1:${await fault.freePort()}`);
    expect(error).toMatchObject({ code: 'VAULT_CONNECTION', reason: 'ECONNREFUSED', retryable: true });
    expect(error.message).toMatch(/VAULT_ADDR/);
  });

  it.each([
    ['accepts and never answers', fault.silent()],
    ['accepts and never reads', 'deaf' as const],
    ['drips its answer', fault.drip({ data: 'x'.repeat(10_000) }, 20)],
  ])('%s: the deadline ends it', async (_, answer) => {
    expect(await failureOf(answer, { timeoutMs: 150 })).toMatchObject({
      code: 'VAULT_TIMEOUT',
      message: expect.stringMatching(/150 ms.*request\.timeoutMs/) as unknown,
    });
  });

  it.each([
    ['hangs up', fault.hangUp()],
    ['resets', fault.reset()],
    ['is cut off in the body', fault.truncated({ with: 'end' })],
    ['is reset in the body', fault.truncated({ with: 'reset' })],
  ])('%s', async (_, answer) => {
    expect(await failureOf(answer)).toMatchObject({ code: 'VAULT_CONNECTION', retryable: true });
  });
});

describe('an answer that is not Vault’s', () => {
  it.each([
    ['a page with status 200', fault.html(), /not JSON.*endpoint/],
    ['malformed JSON', fault.malformedJson(200, '{"data":1,}'), /the JSON is malformed/],
    ['half of a JSON', fault.malformedJson(), /the JSON is cut short.*log of the server/],
    ['40 MB', fault.huge(40), /larger than/],
    ['40 MB of unknown length', fault.huge(40, { declareLength: false }), /larger than/],
    [
      'a redirect to another host',
      fault.redirect('http://203.0.113.1/v1/x'),
      /http:\/\/203\.0\.113\.1.*token was not sent/,
    ],
    ['a redirect after a redirect', fault.redirect('/v1/secret/data/my-app'), /redirects again/],
    ['a redirect to another path', fault.redirect('/v1/sys/seal'), /another path.*token was not sent/],
    [
      'a redirect with another query',
      fault.redirect('/v1/secret/data/my-app?list=true'),
      /another path.*token was not sent/,
    ],
    [
      'plain text with status 400',
      fault.answer(400, { 'content-type': 'text/plain' }, 'Client sent an HTTP request to an HTTPS server.'),
      /https:\/\//,
    ],
  ])('%s', async (_, answer, message) => {
    expect(await failureOf(answer)).toMatchObject({
      code: 'VAULT_BAD_RESPONSE',
      message: expect.stringMatching(message) as unknown,
    });
  });
});

describe('an error of the server', () => {
  it.each([
    [400, { errors: ['invalid request'] }, 'VAULT_REQUEST', false],
    [403, { errors: ['permission denied'] }, 'VAULT_PERMISSION_DENIED', false],
    [404, { errors: [] }, 'VAULT_NOT_FOUND', false],
    [412, { errors: ['required index state not present'] }, 'VAULT_REQUEST', false],
    [473, { errors: [] }, 'VAULT_REQUEST', false],
    [500, { errors: ['internal error'] }, 'VAULT_SERVER', true],
    [501, { errors: [] }, 'VAULT_NOT_INITIALIZED', true],
    [503, { errors: ['Vault is sealed'] }, 'VAULT_SEALED', true],
    [503, { errors: ['node is draining'] }, 'VAULT_SERVER', true],
  ] as const)('%d %j is %s', async (status, body, code, retryable) => {
    expect(await failureOf(fault.json(status, body))).toMatchObject({ code, statusCode: status, retryable });
  });

  it('a page with status 502 is the proxy’s', async () => {
    expect(await failureOf(fault.html(502))).toMatchObject({
      code: 'VAULT_SERVER',
      statusCode: 502,
      message: expect.stringContaining('proxy') as unknown,
    });
  });

  it('429 says how long to wait', async () => {
    expect(await failureOf(fault.rateLimited(7))).toMatchObject({ code: 'VAULT_RATE_LIMITED', retryAfterMs: 7000 });
    await server?.close();
    expect(await failureOf(fault.rateLimited('Thu, 01 Jan 1970 00:00:00 GMT'))).toMatchObject({ retryAfterMs: 0 });
  });

  it('that echoes the request prints none of it', async () => {
    const error = await failureOf(
      fault.json(400, {
        errors: [`you sent ${PASSWORD} with ${TOKEN}\nand hvs.AAAAAAAAAAAAAAAAAAAAAAAA`, 7, null, 'x'.repeat(5000)],
      }),
    );
    expect(error.message).toMatch(/you sent \*\*\* with \*\*\* and \*\*\*/);
    expect(error.message.length).toBeLessThan(1000);
  });

  it('the words of the server end in no full stop of their own', async () => {
    const { message } = await failureOf(fault.json(404, { errors: ['no handler for "x". route entry not found.'] }));
    expect(message).toContain('route entry not found (status 404). ');
  });

  it('403 holds the policy stanza', async () => {
    expect(
      (await failureOf(fault.json(403, { errors: ['1 error occurred:\n\t* permission denied\n\n'] }))).message,
    ).toContain('path "secret/data/my-app" { capabilities = ["create", "update"] }');
  });
});

describe('TLS', () => {
  it.each([
    ['an unknown authority', {}, /tls\.ca.*VAULT_CACERT/, false],
    ['another host’s certificate', { hosts: ['vault.example.com'] }, /another host name.*tls\.serverName/, true],
    [
      'an expired certificate',
      { notBefore: new Date(Date.now() - 172_800_000), notAfter: new Date(Date.now() - 86_400_000) },
      /expired/,
      true,
    ],
  ])('%s', async (_, made, message, trusted) => {
    const { ca, cert, key } = await createCertificates(made);
    const options = trusted && ca !== undefined ? { tls: { ca } } : {};
    expect(await failureOf(fault.json(200, {}), options, { tls: { cert, key } })).toMatchObject({
      code: 'VAULT_TLS',
      message: expect.stringMatching(message) as unknown,
    });
  });

  it('a certificate of the right authority and host is taken, by another name too', async () => {
    const { ca, cert, key } = await createCertificates({ hosts: ['vault.example.com'] });
    server = await fault.startFaultServer(fault.json(200, {}), { tls: { cert, key } });
    const client = await createClient(server.endpoint, TOKEN, {
      tls: { ca: ca, serverName: 'vault.example.com' },
    });
    expect((await client.request({ method: 'GET', path: 'x' })).status).toBe(200);
    await client.close();
  });

  it('https to a plain port says so', async () => {
    server = await fault.startFaultServer(fault.json(200, {}));
    expect(await failureAt(server.endpoint.replace('http:', 'https:'))).toMatchObject({ code: 'VAULT_TLS' });
  });
});

describe('ends', () => {
  it('close() fails what is under way and refuses what comes later', async () => {
    server = await fault.startFaultServer(fault.silent());
    const client = await createClient(server.endpoint);
    const pending = client.request({ method: 'GET', path: 'x' }).catch((error: unknown) => error);
    const started = server;
    await started.until(() => started.requests.length === 1);
    await client.close();
    expect(await pending).toMatchObject({ code: 'VAULT_CLOSED' });
    await expect(client.request({ method: 'GET', path: 'x' })).rejects.toMatchObject({ code: 'VAULT_CLOSED' });
  });

  it('a call aborted while it waits for a free connection never reaches the server', async () => {
    server = await fault.startFaultServer(fault.silent());
    const client = await createClient(server.endpoint, TOKEN, { maxConnections: 1 });
    const first = client.request({ method: 'GET', path: 'first' }).catch(() => undefined);
    const controller = new AbortController();
    const second = client
      .request({ method: 'GET', path: 'second', signal: controller.signal })
      .catch((error: unknown) => error);
    const started = server;
    await started.until(() => started.requests.length === 1);
    controller.abort();
    expect(await second).toMatchObject({ code: 'VAULT_ABORTED' });
    await client.close();
    await first;
    expect(server.requests.map(({ url }) => url)).toEqual(['/v1/first']);
  });
});

it('values that cannot become text never end in a raw error', async () => {
  const odd = { toString: 1, valueOf: 1 };
  const data = {
    id: 'x',
    ttl: 0,
    policies: ['a', odd, null],
    keys: ['b', odd],
    data: { KEY: 'v' },
    versions: {},
    type: odd,
  };
  const metadata = { version: 1, created_time: odd, custom_metadata: { owner: 'team', odd } };
  server = await fault.startFaultServer(
    fault.json(200, { data: { ...data, metadata, ...metadata }, warnings: ['w', odd] }),
  );
  const client = await createClient(server.endpoint, TOKEN);
  const call = { token: TOKEN, source: 'a test', namespace: undefined, owned: false, signal: undefined };
  const kv = new Kv2Engine(client);
  try {
    expect((await lookUpToken(client, call)).policies).toEqual(['a']);
    expect((await new LogicalEngine(client).read('a')).warnings).toEqual(['w']);
    expect((await kv.metadata('a')).customMetadata).toEqual({ owner: 'team' });
    await expect(kv.list('a')).rejects.toMatchObject({ code: 'VAULT_BAD_RESPONSE' });
  } finally {
    await client.close();
  }
});
