import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { VaultError } from '../../lib/index.js';
import type { ClientOptions } from '../../lib/client/client-options.js';
import type { VaultClient } from '../../lib/client/vault-client.js';
import type { VaultRequest } from '../../lib/client/vault-request.js';
import type { RequestObserver } from '../../lib/client/request-pipeline.js';
import type { FailedAttempt } from '../../lib/client/retry.js';
import { retryBackoffMs } from '../../lib/client/retry.js';
import { Kv2Engine } from '../../lib/engines/kv2.engine.js';
import { LogicalEngine } from '../../lib/engines/logical.engine.js';
import { createCertificates } from '../../lib/testing/index.js';
import { canary, findLeaks, renderError } from '../support/canary.js';
import type { FaultHandler, FaultServer, FaultServerOptions } from '../support/fault-server.js';
import * as fault from '../support/fault-server.js';
import { createClient } from '../support/vault-client.js';

const TOKEN = canary('token');
const PASSWORD = canary('password');
const OK = fault.json(200, { data: {} });
const READ: VaultRequest = { method: 'GET', path: 'secret/data/a' };
const WRITE: VaultRequest = { method: 'POST', path: 'secret/data/a', body: { data: { password: PASSWORD } } };

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end();
});

async function serve(answer: FaultHandler, options?: FaultServerOptions): Promise<FaultServer> {
  const server = await fault.startFaultServer(answer, options);
  cleanUp.push(() => server.close());
  return server;
}

async function connect(endpoint: string, options: Partial<ClientOptions> & RequestObserver = {}): Promise<VaultClient> {
  const client = await createClient(endpoint, TOKEN, { retries: 2, ...options });
  cleanUp.push(() => client.close());
  return client;
}

const failureOf = (call: Promise<unknown>): Promise<VaultError> =>
  call.then(
    () => Promise.reject(new Error('the call did not fail')),
    (error: unknown) => error as VaultError,
  );

describe('what is repeated', () => {
  // Server errors of a kind, and whether a read, a write and an idempotent write get a second try.
  const TABLE: Record<string, [FaultHandler, boolean, boolean, boolean]> = {
    '400': [fault.vaultError(400, ['invalid request']), false, false, false],
    '403': [fault.vaultError(403, ['permission denied']), false, false, false],
    '404': [fault.vaultError(404), false, false, false],
    '405': [fault.vaultError(405), false, false, false],
    '412 stale state': [fault.vaultError(412, ['required index state not present']), true, true, true],
    '429 quota': [fault.vaultError(429, ['rate limit quota exceeded']), true, true, true],
    '472 secondary': [fault.vaultError(472), false, false, false],
    '473 performance standby': [fault.vaultError(473), false, false, false],
    '500': [fault.vaultError(500, ['internal error']), true, false, true],
    '500 without a leader': [
      fault.vaultError(500, ['local node not active but active cluster node not found']),
      ...[true, true, true],
    ] as never,
    '501 not initialized': [fault.vaultError(501), false, false, false],
    '502': [fault.html(502), true, false, true],
    '503 sealed': [fault.sealed(), false, false, false],
    '503': [fault.html(503), true, false, true],
    '504': [fault.html(504), true, false, true],
    '520': [fault.html(520), true, false, true],
    'a page in place of JSON': [fault.html(200), false, false, false],
    'JSON that stops in the middle': [fault.malformedJson(), true, false, true],
    'JSON of an error that stops in the middle': [fault.malformedJson(403, '{"errors":["1 error'), true, false, true],
    'malformed JSON': [fault.malformedJson(200, '{"data":{"a":}}'), false, false, false],
    'closed without an answer': [fault.hangUp(), true, false, true],
    reset: [fault.reset(), true, false, true],
    'reset in the body': [fault.truncated({ with: 'reset' }), true, false, true],
  };

  it('by failure and method', async () => {
    const rows = Object.entries(TABLE).map(async ([name, [answer]]) => {
      const tries = [READ, WRITE, { ...WRITE, idempotent: true }].map(async (request) => {
        const server = await serve(fault.inTurn(answer, OK));
        const client = await connect(server.endpoint, { retries: 1 });
        const succeeded = await client.request(request).then(
          () => true,
          () => false,
        );
        expect(server.requests).toHaveLength(succeeded ? 2 : 1);
        return succeeded;
      });
      return [name, await Promise.all(tries)];
    });
    const expected = Object.entries(TABLE).map(([name, [, ...repeated]]) => [name, repeated]);
    expect(Object.fromEntries(await Promise.all(rows))).toEqual(Object.fromEntries(expected));
  });

  it('a write that never got a connection is repeated', async () => {
    const port = await fault.freePort();
    const retried: FailedAttempt[] = [];
    const client = await connect(`http://127.0.0.1:${port}`, {
      onAttemptFailed: (failed) => {
        retried.push(failed);
        void serve(OK, { port });
      },
    });
    expect((await client.request(WRITE)).status).toBe(200);
    expect(retried).toEqual([
      {
        operation: 'POST secret/data/a',
        endpoint: `http://127.0.0.1:${port}`,
        attempt: 1,
        reason: 'ECONNREFUSED',
        statusCode: undefined,
        waitMs: expect.any(Number) as unknown,
        error: expect.objectContaining({ code: 'VAULT_CONNECTION' }) as unknown,
      },
    ]);
    expect(findLeaks(JSON.stringify(retried))).toEqual([]);
  });

  it('a bad certificate is not', async () => {
    const { cert, key } = await createCertificates();
    const server = await serve(OK, { tls: { cert, key } });
    const client = await connect(server.endpoint);
    expect(await failureOf(client.request(READ))).toMatchObject({ code: 'VAULT_TLS' });
    expect(server.totalConnections).toBe(1);
  });

  it('and never what this module refuses itself', async () => {
    const retried: FailedAttempt[] = [];
    const client = await connect('http://127.0.0.1:9', { onAttemptFailed: (failed) => retried.push(failed) });
    for (const request of [{ timeoutMs: 0 }, { retries: -1 }, { retries: 0.5 }, { headers: { x: 'a\nb' } }]) {
      expect(await failureOf(client.request({ ...READ, ...request }))).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    }
    expect(retried).toEqual([]);
  });
});

describe('how often and how long', () => {
  it('two repetitions, then the last failure, which tells of those before', async () => {
    const unavailable = fault.vaultError(429, [], { 'retry-after': '0' });
    const server = await serve(fault.inTurn(unavailable, unavailable, fault.vaultError(500, ['disk full'])));
    const client = await connect(server.endpoint, { retries: 2 });
    const error = await failureOf(client.request(READ));
    expect(error.message).toContain(
      `at ${server.endpoint} (before that: ${server.endpoint}: status 429, 2 times): disk full (status 500)`,
    );
    expect(server.requests).toHaveLength(3);
    expect(findLeaks(renderError(error))).toEqual([]);
  });

  it.each([
    ['by the options', { retries: 0 }, {}],
    ['by the call', {}, { retries: 0 }],
  ])('none if it is switched off %s', async (_, options, call) => {
    const server = await serve(fault.rateLimited(0));
    const client = await connect(server.endpoint, options);
    await failureOf(client.request({ ...READ, ...call }));
    expect(server.requests).toHaveLength(1);
  });

  it('waits n times 1 to 1.5 seconds', () => {
    expect([1, 2, 3].map((n) => retryBackoffMs(n, () => 0))).toEqual([1000, 2000, 3000]);
    expect([1, 2, 3].map((n) => retryBackoffMs(n, () => 0.999))).toEqual([1499.5, 2999, 4498.5]);
  });

  it('Retry-After in seconds is waited for exactly', async () => {
    const server = await serve(fault.inTurn(fault.rateLimited(1), OK));
    const waits: number[] = [];
    const client = await connect(server.endpoint, { onAttemptFailed: ({ waitMs }) => waits.push(waitMs) });
    const started = performance.now();
    await client.request(READ);
    expect(waits).toEqual([1000]);
    expect(performance.now() - started).toBeGreaterThanOrEqual(999);
  });

  it('Retry-After in a date is waited for until then, and no longer', async () => {
    // Dates in headers have no milliseconds.
    const date = Math.ceil(Date.now() / 1000 + 1) * 1000;
    const server = await serve(fault.inTurn(fault.rateLimited(new Date(date).toUTCString()), OK));
    const waitedUntil: number[] = [];
    const client = await connect(server.endpoint, {
      onAttemptFailed: ({ waitMs }) => waitedUntil.push(Date.now() + waitMs),
    });
    await client.request(READ);
    expect(Date.now()).toBeGreaterThanOrEqual(date - 1);
    expect(waitedUntil).toEqual([expect.closeTo(date, -3)]);
  });

  it.each(['3600', '9999999999', 'Fri, 31 Dec 9999 23:59:59 GMT'])(
    'Retry-After: %s lies beyond the deadline and is told at once',
    async (header) => {
      const server = await serve(fault.rateLimited(header));
      const client = await connect(server.endpoint, { timeoutMs: 60_000 });
      expect(await failureOf(client.request(READ))).toMatchObject({ code: 'VAULT_RATE_LIMITED', statusCode: 429 });
      expect(server.requests).toHaveLength(1);
    },
  );

  it('one deadline covers all tries, and waits are shortened to fit', async () => {
    const server = await serve(fault.inTurn(fault.html(502), fault.silent()));
    const waits: number[] = [];
    const client = await connect(server.endpoint, {
      timeoutMs: 1900,
      onAttemptFailed: ({ waitMs }) => waits.push(waitMs),
    });
    const error = await failureOf(client.request(READ));
    expect(error).toMatchObject({ code: 'VAULT_TIMEOUT' });
    expect(error.message).toMatch(/before that: .*status 502.*no complete response within 1900 ms/);
    expect(waits).toHaveLength(1);
    // Half of what is left, where it would be a second and more.
    expect(waits[0]).toBeLessThanOrEqual(950);
  });

  it('a redirect has no deadline of its own', async () => {
    const server = await serve(fault.inTurn(fault.redirect('/v1/secret/data/a'), fault.silent()));
    const client = await connect(server.endpoint, { timeoutMs: 1500, retries: 0 });
    expect(await failureOf(client.request(READ))).toMatchObject({ code: 'VAULT_TIMEOUT' });
    expect(server.requests.map(({ url }) => url)).toEqual(['/v1/secret/data/a', '/v1/secret/data/a']);
  });

  it('the wait ends when the caller aborts', async () => {
    const server = await serve(fault.rateLimited(50));
    const controller = new AbortController();
    const client = await connect(server.endpoint, { timeoutMs: 60_000, onAttemptFailed: () => controller.abort() });
    const error = await failureOf(client.request({ ...READ, signal: controller.signal }));
    expect(error).toMatchObject({ code: 'VAULT_ABORTED' });
    expect(server.requests).toHaveLength(1);
  });

  it('the wait ends when the client closes', async () => {
    const server = await serve(fault.rateLimited(50));
    const client = await connect(server.endpoint, { timeoutMs: 60_000, onAttemptFailed: () => void client.close() });
    expect(await failureOf(client.request(READ))).toMatchObject({ code: 'VAULT_CLOSED' });
  });
});

describe('the rate limit', () => {
  it('lets a burst go and spreads the rest', async () => {
    const server = await serve(OK);
    const client = await connect(server.endpoint, { rateLimit: { perSecond: 50, burst: 3 } });
    const started = performance.now();
    await Promise.all(Array.from({ length: 13 }, () => client.request(READ)));
    // Three at once, ten more 20 ms apart; timers may fire one millisecond early.
    expect(performance.now() - started).toBeGreaterThanOrEqual(10 * 20 - 2);
    expect(server.requests).toHaveLength(13);
  });

  it('counts repetitions too', async () => {
    const server = await serve(fault.inTurn(fault.rateLimited(0), OK));
    const client = await connect(server.endpoint, { rateLimit: { perSecond: 0.01, burst: 2 } });
    await client.request(READ);
    expect(server.requests).toHaveLength(2);
    expect(await failureOf(client.request(READ))).toMatchObject({ code: 'VAULT_TIMEOUT', reason: 'rate-limit' });
  });

  it('refuses at once what would get its turn too late, and says so', async () => {
    const server = await serve(OK);
    const client = await connect(server.endpoint, { rateLimit: { perSecond: 0.01 }, timeoutMs: 60_000 });
    await client.request(READ);
    const error = await failureOf(client.request(READ));
    expect(error).toMatchObject({ code: 'VAULT_TIMEOUT', reason: 'rate-limit' });
    expect(error.message).toMatch(/request\.rateLimit.*VAULT_RATE_LIMIT/);
    expect(server.requests).toHaveLength(1);
  });

  it('a turn of a call that was given up goes to the next', async () => {
    const server = await serve(OK);
    const client = await connect(server.endpoint, { rateLimit: { perSecond: 0.5 }, timeoutMs: 3900 });
    await client.request(READ);
    for (let round = 0; round < 20; round += 1) {
      const controller = new AbortController();
      const waiting = failureOf(client.request({ ...READ, signal: controller.signal }));
      // By then it has its turn, which comes in up to two seconds; two turns would be beyond the deadline.
      await nextTurn();
      controller.abort();
      expect(await waiting).toMatchObject({ code: 'VAULT_ABORTED' });
    }
    expect((await client.request(READ)).status).toBe(200);
  });
});

describe('reads that issue something', () => {
  const ISSUING = [
    ...[
      'database/creds/app',
      'database/static-creds/app',
      'aws/sts/app',
      'team/aws/creds/app',
      'gcp/roleset/app/token',
    ],
    ...['gcp/key/app', 'totp/code/app', 'cubbyhole/response', 'auth/oidc/oidc/callback', 'database/%63reds/app'],
  ];
  const OTHERS = ['secret/data/app', 'auth/token/lookup-self', 'sys/health', 'creds/config', 'sys/policies/acl/token'];

  it.each(ISSUING)('%s is not read again when the response was lost', async (path) => {
    const server = await serve(fault.inTurn(fault.hangUp(), OK));
    const client = await connect(server.endpoint);
    expect(await failureOf(client.request({ method: 'GET', path }))).toMatchObject({ code: 'VAULT_CONNECTION' });
    expect(server.requests).toHaveLength(1);
  });

  it.each(OTHERS)('%s is read again', async (path) => {
    const server = await serve(fault.inTurn(fault.hangUp(), OK));
    const client = await connect(server.endpoint);
    await client.request({ method: 'GET', path });
    expect(server.requests).toHaveLength(2);
  });

  it('vault.read() of such a path is recognized by its path, and its option overrides that', async () => {
    const server = await serve(fault.inTurn(fault.hangUp(), OK, fault.hangUp(), OK));
    const engine = new LogicalEngine(await connect(server.endpoint));
    await expect(engine.read('database/creds/app')).rejects.toMatchObject({ code: 'VAULT_CONNECTION' });
    expect(server.requests).toHaveLength(1);
    await engine.read('database/creds/app');
    await engine.read('database/creds/app', { idempotent: true });
    expect(server.requests).toHaveLength(4);
  });

  it('a KV secret of such a name is read again', async () => {
    const version = { version: 1, created_time: '', deletion_time: '', destroyed: false };
    const secret = fault.json(200, { data: { data: {}, metadata: version } });
    const server = await serve(fault.inTurn(fault.hangUp(), secret));
    await new Kv2Engine(await connect(server.endpoint)).read('creds/token');
    expect(server.requests).toHaveLength(2);
  });

  it('a request marked as not idempotent is not sent again, nor to another endpoint', async () => {
    const [first, second] = [await serve(fault.hangUp()), await serve(OK)];
    for (const { path, idempotent } of [{ path: 'database/creds/app' }, { path: 'pki/cert/ca', idempotent: false }]) {
      const client = await connect(first.endpoint, { otherEndpoints: [second.endpoint] });
      const before = first.requests.length + second.requests.length;
      const isHealth = ({ url }: { readonly url: string }): boolean => url.endsWith('/sys/health');
      first.answerWith((request, response) => (isHealth(request) ? OK : fault.hangUp())(request, response));
      await failureOf(client.request({ method: 'GET', path, idempotent }));
      const sent = [...first.requests, ...second.requests].slice(before).filter((request) => !isHealth(request));
      expect(sent.filter(({ url }) => url === `/v1/${path}`)).toHaveLength(1);
    }
  });
});
