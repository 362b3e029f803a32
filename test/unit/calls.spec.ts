import { getEventListeners } from 'node:events';
import { afterEach, expect, it } from '@jest/globals';
import { isVaultError } from '../../lib/index.js';
import { canary, findLeaks, renderError } from '../support/canary.js';
import type { FaultServer } from '../support/fault-server.js';
import * as fault from '../support/fault-server.js';
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
