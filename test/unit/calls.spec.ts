import { getEventListeners } from 'node:events';
import { afterEach, expect, it } from '@jest/globals';
import { isVaultError } from '../../lib/index.js';
import { canary, findLeaks, renderError } from '../support/canary.js';
import type { FaultServer } from '../support/fault-server.js';
import * as fault from '../support/fault-server.js';
import type { TokenSource } from '../../lib/client/token-source.js';
import { createVaultClient } from '../../lib/client/vault-client.js';
import { createClient } from '../support/vault-client.js';

let server: FaultServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

it('headers of every call are sent, those of a single call win, and no error repeats them', async () => {
  const gateway = canary('gateway');
  server = await fault.startFaultServer(fault.json(400, { errors: [`who is ${gateway}?`] }));
  const client = await createClient(server.endpoint, 'token', { headers: { 'x-gateway': gateway, 'x-trace': 'all' } });
  const error: unknown = await client
    .request({ method: 'GET', path: 'x', headers: { 'x-trace': 'one' } })
    .catch((thrown: unknown) => thrown);
  await client.close();
  expect(isVaultError(error)).toBe(true);
  expect(findLeaks(renderError(error))).toEqual([]);
  expect(server.requests[0]?.headers).toMatchObject({
    'x-gateway': gateway,
    'x-trace': 'one',
    'x-vault-token': 'token',
  });
});

it('a redirect is not followed where that is forbidden', async () => {
  server = await fault.startFaultServer(fault.redirect('/v1/y'));
  const client = await createClient(server.endpoint, 'token', { redirects: false });
  await expect(client.request({ method: 'GET', path: 'x' })).rejects.toMatchObject({
    code: 'VAULT_BAD_RESPONSE',
    statusCode: 307,
    message: expect.stringMatching(/request\.redirects.*VAULT_DISABLE_REDIRECTS/) as unknown,
  });
  await client.close();
  expect(server.requests.map(({ url }) => url)).toEqual(['/v1/x']);
});

it('a call leaves no abort listener, whatever it waited for', async () => {
  server = await fault.startFaultServer(
    fault.inTurn(fault.vaultError(412, ['not yet']), fault.json(200, { data: {} })),
  );
  const { signal } = new AbortController();
  const limits = { endpoint: server.endpoint, tls: {}, timeoutMs: 10_000, connectTimeoutMs: 5_000, maxConnections: 1 };
  const token = { token: 'token', release: () => undefined };
  const tokens: TokenSource = {
    acquire: () => new Promise((resolve) => setImmediate(resolve, token)),
    replaceRejected: () => new Promise((resolve) => setImmediate(resolve, token)),
  };
  // Waits for a token, for its turn, for a retry, and for each response.
  const rateLimit = { perSecond: 50, burst: 1 };
  const client = await createVaultClient({ ...limits, retries: 1, rateLimit }, tokens);
  await client.request({ method: 'GET', path: 'x', signal });
  expect(server.requests).toHaveLength(2);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  // Denied, and sent again with another token.
  server.answerWith(fault.inTurn(fault.vaultError(403, ['permission denied']), fault.json(200, { data: {} })));
  await client.request({ method: 'GET', path: 'x', signal });
  expect(server.requests).toHaveLength(4);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  // Ended by its deadline, while it waits for a response and for a token.
  server.answerWith(fault.silent());
  await expect(client.request({ method: 'GET', path: 'x', signal, timeoutMs: 100 })).rejects.toThrow();
  const never: TokenSource = { ...tokens, acquire: () => new Promise(() => undefined) };
  await expect(client.withTokens(never).request({ method: 'GET', path: 'x', signal, timeoutMs: 20 })).rejects.toThrow();
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  await client.close();
});

it('calls that share one signal neither warn of a leak nor leave listeners', async () => {
  server = await fault.startFaultServer(fault.json(200, { data: {} }));
  const client = await createClient(server.endpoint, 'token');
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 60 }, () => client.request({ method: 'GET', path: 'x', signal })));
  // Warnings are emitted in a later turn.
  await new Promise(setImmediate);
  process.off('warning', onWarning);
  await client.close();
  expect(warnings).toEqual([]);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
