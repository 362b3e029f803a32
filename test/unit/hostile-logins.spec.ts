import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { createLoginMethod } from '../../lib/auth/login-methods.js';
import type { VaultClient } from '../../lib/client/vault-client.js';
import { SessionManager } from '../../lib/session/session-manager.js';
import { canary, findLeaks, renderError } from '../support/canary.js';
import type { FaultHandler, FaultServer } from '../support/fault-server.js';
import * as fault from '../support/fault-server.js';
import { createClient } from '../support/vault-client.js';

const PASSWORD = canary('password');
const TOKEN = canary('issued-token');
let server: FaultServer;
let client: VaultClient;
let session: SessionManager;

beforeEach(async () => {
  server = await fault.startFaultServer(fault.json(500, {}));
  client = await createClient(server.endpoint, undefined);
  session = new SessionManager(client, createLoginMethod({ method: 'userpass', username: 'app', password: PASSWORD }), {
    shutdown: { revoke: true, timeoutMs: 1000 },
    // Renewals come early: one that is late would be a login, for which some tests would wait in vain.
    random: () => 0.99,
  });
});
afterEach(async () => {
  server.answerWith(fault.answer(204));
  await session.close();
  await client.close();
  await server.close();
});

/** How many there are in some time, by what that time was: on a busy machine it is longer. */
async function requestsPer100Ms(): Promise<number> {
  const { length } = server.requests;
  const start = performance.now();
  await delay(150);
  return (server.requests.length - length) / Math.ceil((performance.now() - start) / 100);
}

const login = (auth: object): FaultHandler => fault.json(200, { auth: { client_token: TOKEN, ...auth } });

it.each<[string, FaultHandler]>([
  ['204', fault.answer(204)],
  ['200 with errors', fault.json(200, { errors: ['no', PASSWORD] })],
  ['null', fault.json(200, null)],
  ['a list', fault.json(200, [])],
  ['a text', fault.json(200, '"')],
  ['auth: null', fault.json(200, { auth: null })],
  ['auth: a text', fault.json(200, { auth: PASSWORD })],
  ['a token that is a number', login({ client_token: 7 })],
  ['an empty token', login({ client_token: '' })],
  ['a token with a line break', login({ client_token: `${TOKEN}\r\nx-evil: 1` })],
  ['a token in a list', login({ client_token: [TOKEN] })],
  ['a redirect to another server', fault.redirect(`http://${PASSWORD}.example.com/`)],
  ['a redirect to a file', fault.redirect('file:///etc/passwd')],
  ['a redirect to itself', fault.redirect('/v1/auth/userpass/login/app')],
  ['20 000 bytes of headers', fault.json(200, {}, { 'x-large': 'x'.repeat(20_000) })],
])('answered with %s, a login is an error of ours', async (_, answer) => {
  server.answerWith(answer);
  const error: unknown = await session.login().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: expect.stringMatching(/^VAULT_(AUTHENTICATION|BAD_RESPONSE)$/) as unknown });
  expect(findLeaks(renderError(error))).toEqual([]);
  expect(session.state).toBe('starting');
});

it.each([
  { method: 'userpass', username: 'app', password: PASSWORD },
  { method: 'token', token: TOKEN },
] as const)("a 404 without a word is not Vault's: $method", async (auth) => {
  const other = new SessionManager(client, createLoginMethod(auth), {
    shutdown: { revoke: false, timeoutMs: 1000 },
  });
  for (const answer of [fault.answer(404), fault.json(404, { message: 'no such page' })]) {
    server.answerWith(answer);
    const error: unknown = await other.login().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'VAULT_AUTHENTICATION',
      message: expect.stringMatching(/404\. Vault does not send such a response\. Check that "endpoint"/) as unknown,
    });
    expect(error).not.toHaveProperty('reason', 'namespace');
  }
  // A mount that is missing is told with words, and one that may be somewhere else too.
  server.answerWith(fault.json(404, { errors: ['no handler for route'] }));
  await expect(other.login()).rejects.toThrow(auth.method === 'token' ? /namespace does not exist/ : /auth list/);
  await other.close();
});

it.each<[string, object]>([
  ['nothing else', {}],
  ['a ttl in text', { lease_duration: '3600' }],
  ['a negative ttl', { lease_duration: -1 }],
  ['a ttl beyond all dates', { lease_duration: 1e99, renewable: true }],
  ['a ttl of a thousandth', { lease_duration: 0.001 }],
  [
    'null everywhere',
    { lease_duration: null, renewable: null, policies: null, accessor: null, token_type: null, num_uses: null },
  ],
  [
    'objects everywhere',
    { lease_duration: {}, renewable: {}, policies: {}, accessor: {}, token_type: {}, num_uses: {} },
  ],
  ['an accessor that writes log lines', { accessor: 'a\nERROR forged' }],
  ['an endless accessor', { accessor: 'a'.repeat(100_000) }],
  ['policies of all kinds', { policies: [null, 7, {}, ['x']] }],
])('a token with %s is taken, without harm, and without a storm of logins', async (_, auth) => {
  server.answerWith(login(auth));
  await session.login();
  session.start();
  expect(session.state).toBe('active');
  expect(session.status.accessor).toBeUndefined();
  expect(session.status.policies.every((policy) => typeof policy === 'string')).toBe(true);
  expect(session.status.expiresAt?.toISOString() ?? '').toMatch(/^(\d{4}-.*Z)?$/);
  // A token that ends at once is replaced every 100 ms.
  expect(await requestsPer100Ms()).toBeLessThanOrEqual(1);
});

it.each<[string, FaultHandler]>([
  ['204', fault.answer(204)],
  ['a ttl in text', fault.json(200, { auth: { lease_duration: '3600' } })],
  ['a negative ttl', fault.json(200, { auth: { lease_duration: -7 } })],
  ['zero', fault.json(200, { auth: { lease_duration: 0 } })],
  ['1e99', fault.json(200, { auth: { lease_duration: 1e99 } })],
  ['no JSON', fault.html()],
])('a renewal answered with %s ends nothing', async (_, answer) => {
  server.answerWith(login({ lease_duration: 3, renewable: true }));
  await session.login();
  server.answerWith((request, response) =>
    (request.url.endsWith('renew-self') ? answer : login({ lease_duration: 3600 }))(request, response),
  );
  session.start();
  await server.until(() => server.requests.some(({ url }) => url.endsWith('renew-self')));
  while (session.state !== 'active') await delay(10);
  expect(await requestsPer100Ms()).toBeLessThanOrEqual(1.5);
});
