import { afterEach, describe, expect, it } from '@jest/globals';
import { requestMetadata, joinUrl, parseAddress, readField, readObject } from '../../lib/auth/methods/metadata.js';
import type { MetadataRequest } from '../../lib/auth/methods/metadata.js';
import { missingPackage } from '../../lib/options/optional-package.js';
import { renderError } from '../support/canary.js';
import type { FaultHandler, FaultServer } from '../support/fault-server.js';
import { answer, freePort, json, redirect, silent, startFaultServer } from '../support/fault-server.js';

const opened: FaultServer[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});

async function standIn(handler: FaultHandler | 'deaf'): Promise<FaultServer> {
  const server = await startFaultServer(handler);
  opened.push(server);
  return server;
}
const request = (endpoint: string, more: Partial<MetadataRequest> = {}): MetadataRequest => ({
  operation: 'get a token',
  service: 'the stand-in',
  url: new URL('/token?x=1', endpoint),
  headers: { metadata: 'true', authorization: 'Bearer SECRET-VALUE' },
  unreachableAdvice: 'You are somewhere else.',
  rejectedAdvice: 'Ask for less.',
  secrets: ['SECRET-VALUE'],
  signal: undefined,
  ...more,
});
const ask = (server: FaultServer, more?: Partial<MetadataRequest>) => requestMetadata(request(server.endpoint, more));
async function failure(work: Promise<unknown>): Promise<Error> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ message: expect.any(String) as unknown });
  expect(renderError(error as Error)).not.toContain('SECRET-VALUE');
  return error as Error;
}

describe('metadata request', () => {
  it('metadata request sends method, path, headers and body, and uses no proxy', async () => {
    const server = await standIn(answer(200, {}, 'ok'));
    process.env['HTTP_PROXY'] = process.env['http_proxy'] = `http://127.0.0.1:${await freePort()}`;
    try {
      expect(await ask(server, { method: 'POST', body: 'a=b' })).toMatchObject({ status: 200, text: 'ok' });
    } finally {
      delete process.env['HTTP_PROXY'];
      delete process.env['http_proxy'];
    }
    expect(server.requests).toMatchObject([
      { method: 'POST', url: '/token?x=1', body: 'a=b', headers: { metadata: 'true' } },
    ]);
    await server.until(() => server.connections === 0);
  });

  it.each([410, 429, 500, 503])('metadata request is retried after status %d', async (status) => {
    const server = await standIn(answer(status));
    setImmediate(
      () => void server.until(() => server.requests.length > 0).then(() => server.answerWith(answer(200, {}, 'ok'))),
    );
    expect((await ask(server)).text).toBe('ok');
    expect(server.requests).toHaveLength(2);
  });

  it('metadata request makes at most three attempts', async () => {
    const server = await standIn(json(503, { error: 'busy' }));
    expect(await failure(ask(server))).toMatchObject({
      code: 'VAULT_AUTHENTICATION',
      statusCode: 503,
      message: `Cannot get a token from the stand-in at ${server.endpoint}: it responded with status 503 (busy). Ask for less.`,
    });
    expect(server.requests).toHaveLength(3);
  });

  it.each<[string, FaultHandler, RegExp]>([
    ['a redirect', redirect('http://127.0.0.1:1/elsewhere', 302), /status 302\. Ask for less/],
    [
      'a refusal',
      json(400, { error: 'x', error_description: 'Identity not found' }),
      /status 400 \(Identity not found\)/,
    ],
    ['a refusal of Google', json(403, { error: { message: 'API disabled' } }), /status 403 \(API disabled\)/],
    ['what was sent', (q, r) => json(401, { message: q.headers.authorization })(q, r), /status 401 \(Bearer \*\*\*\)/],
    ['a page', answer(404, {}, '<html>'), /status 404\. Ask/],
    ['nothing', answer(200, {}, ' \n'), /something else responded there: it is empty\. You are/],
    ['too much', answer(200, {}, 'x'.repeat(70_000)), /larger than 65536 bytes/],
  ])('metadata request fails without a retry on %s', async (_, handler, message) => {
    const server = await standIn(handler);
    expect((await failure(ask(server))).message).toMatch(message);
    expect(server.requests).toHaveLength(1);
  });

  it('metadata request rejects a truncated response', async () => {
    const server = await standIn((_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half');
      setImmediate(() => response.destroy());
    });
    expect((await failure(ask(server))).message).toContain('You are somewhere else.');
  });

  it('metadata request times out after five seconds', async () => {
    const [quiet, deaf] = [await standIn(silent()), await standIn('deaf')];
    for (const error of await Promise.all([quiet, deaf].map((server) => failure(ask(server)))))
      expect(error).toMatchObject({
        reason: 'metadata-unreachable',
        message: expect.stringContaining('no complete response within 5000 ms. You are somewhere else.') as unknown,
      });
    // The deaf one cannot notice.
    await quiet.until(() => quiet.connections === 0);
  }, 20_000);

  it.each(['before', 'while it is asked', 'between two tries'])(
    'metadata request ends when the caller aborts %s',
    async (when) => {
      const server = await standIn(when === 'between two tries' ? answer(503) : silent());
      const controller = new AbortController();
      if (when === 'before') controller.abort();
      else void server.until(() => server.requests.length === 1).then(() => controller.abort());
      expect(await failure(ask(server, { signal: controller.signal }))).toMatchObject({ code: 'VAULT_ABORTED' });
    },
  );

  it('metadata request error names the address without path, query and password', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    expect(await failure(requestMetadata(request(url)))).toMatchObject({
      reason: 'metadata-unreachable',
      endpoint: url,
      message: `Cannot get a token from the stand-in at ${url}: ECONNREFUSED. You are somewhere else.`,
    });
  });

  it.each(['', '7', 'null', '"text"', '{"token":', '{}', '{"token":7}', '{"token":""}', '{"other":"SECRET-VALUE"}'])(
    'whose answer is %j has no token in it',
    async (text) => {
      const asked = request('http://127.0.0.1:1');
      const read = () => readField(readObject({ status: 200, headers: {}, text }, asked), 'token', asked);
      expect((await failure(Promise.resolve().then(read))).message).toMatch(
        /something else responded there: it (is not JSON|has no "token")\. You are/,
      );
    },
  );
});

describe('metadata address', () => {
  it.each(['', 'metadata', '169.254.169.254', 'ftp://x', 'file:///etc/passwd', 'http://u:SECRET-VALUE@x', 'http://'])(
    '%j is refused, and not repeated',
    async (value) => {
      const error = await failure(Promise.resolve().then(() => parseAddress(value, '"auth.metadataEndpoint"')));
      expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
      expect(error.message).toContain('"auth.metadataEndpoint"');
    },
  );

  it('metadata address is joined with a path and an encoded query', () => {
    const address = parseAddress('http://127.0.0.1:1/base/?old=1', 'x');
    expect(joinUrl(address, '/path', { a: 'b&c=d', none: undefined }).href).toBe(
      'http://127.0.0.1:1/base/path?a=b%26c%3Dd',
    );
  });
});

describe('optional package', () => {
  it('optional package error names the missing package and the install command', async () => {
    const name = 'nestjs-vault-package-that-nobody-has';
    const error = missingPackage(`@scope/x@3`, 'The method', await failure(import(name)));
    expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    expect(error.message).toMatch(
      /^The method needs the package "@scope\/x".*\(\w+\)\. Install it: npm install @scope\/x@3$/,
    );
  });
});
