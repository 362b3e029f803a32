import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createLoginMethod } from '../../lib/auth/login-methods.js';
import { resolveOptions } from '../../lib/boot/resolve-options.js';
import { Kv2Engine } from '../../lib/engines/kv2.engine.js';
import { VaultConfigurationError, VaultNotFoundError, VaultPermissionError } from '../../lib/index.js';
import type { VaultModuleOptions } from '../../lib/index.js';
import * as fault from '../support/fault-server.js';
import { createClient } from '../support/vault-client.js';

/**
 * The whole text of the messages that users see most. Every other test asserts codes, reasons and advice, so that a message
 * can be reworded here alone: `npm test -- test/unit/error-messages.spec.ts -u`.
 */

let server: fault.FaultServer;
let closed: string;

beforeAll(async () => {
  server = await fault.startFaultServer(fault.json(200, {}));
  closed = `http://127.0.0.1:${await fault.freePort()}`;
});
afterAll(() => server.close());

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    const { message, code, reason, advice } = error as VaultPermissionError;
    return {
      code,
      ...(reason !== undefined && { reason }),
      ...(advice !== undefined && { advice }),
      message: message.replaceAll(server.endpoint, 'http://vault:8200').replaceAll(closed, 'http://vault:8200'),
    };
  }
  throw new Error('there was no error');
}

async function failureOfRead(answer: fault.FaultHandler, endpoint = server.endpoint, options = {}): Promise<unknown> {
  server.answerWith(answer);
  const client = await createClient(endpoint, 'token', options);
  try {
    return await failureOf(() => new Kv2Engine(client, 'secret').read('app'));
  } finally {
    await client.close();
  }
}

it.each<[string, fault.FaultHandler]>([
  ['denies the read', fault.json(403, { errors: ['1 error occurred:\n\t* permission denied\n\n'] })],
  ['does not know the token', fault.json(403, { errors: ['permission denied'] })],
  ['has nothing at the path', fault.json(404, { errors: [] })],
  ['has no engine at the mount', fault.json(404, { errors: ['no handler for route "secret/data/app"'] })],
  ['does not have the Vault namespace', fault.json(404, { errors: ['namespace not found'] })],
  ['is sealed', fault.json(503, { errors: ['Vault is sealed'] })],
  ['is not initialized', fault.json(501, { errors: [] })],
  ['fails', fault.json(500, { errors: ['internal error'] })],
  ['limits the rate', fault.json(429, { errors: ['request path "secret/data/app": rate limit quota exceeded'] })],
  ['is a proxy that fails', fault.html(502)],
  ['is a login page', fault.html()],
  ['sends half of the JSON', fault.malformedJson()],
  ['closes the connection', fault.hangUp()],
])('golden message: the server %s', async (_, answer) => {
  expect(await failureOfRead(answer)).toMatchSnapshot();
});

it('golden message: nothing listens at the endpoint', async () => {
  expect(await failureOfRead(fault.json(200, {}), closed)).toMatchSnapshot();
});

it('golden message: the server does not respond in time', async () => {
  expect(await failureOfRead(fault.silent(), server.endpoint, { timeoutMs: 150 })).toMatchSnapshot();
});

it('golden message: the server refuses a login', async () => {
  server.answerWith(fault.json(400, { errors: ['invalid username or password'] }));
  const client = await createClient(server.endpoint, undefined);
  const method = createLoginMethod({ method: 'userpass', username: 'app', password: 'wrong' });
  expect(await failureOf(() => method.login(client))).toMatchSnapshot();
  await client.close();
});

it.each<[string, VaultModuleOptions]>([
  ['is misspelled', { endpont: 'http://127.0.0.1:8200' } as VaultModuleOptions],
  ['has the wrong type', { endpoint: 'http://127.0.0.1:8200', request: { timeoutMs: '5s' as never } }],
  ['is an unknown login method', { endpoint: 'http://127.0.0.1:8200', auth: { method: 'AppRole' } as never }],
])('golden message: an option %s', async (_, options) => {
  expect(await failureOf(() => resolveOptions(options))).toMatchSnapshot();
});

it('golden message: two sources fail', () => {
  const errors = [
    new VaultNotFoundError('Cannot read KV v2 secret "app" in mount "secret" at http://vault:8200: status 404.', {
      advice: [{ id: 'check-path', text: 'Nothing is stored there.' }],
    }),
    new VaultPermissionError('Cannot read KV v2 secret "db" in mount "secret" at http://vault:8200: status 403.'),
  ];
  expect(new VaultConfigurationError('The configuration could not be loaded:', errors).message).toMatchSnapshot();
});
