import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Kv2Engine } from '../../lib/engines/kv2.engine.js';
import { isVaultError } from '../../lib/index.js';
import type { VaultTraceContext } from '../../lib/index.js';
import { canary, findLeaks } from '../support/canary.js';
import type { FaultHandler, FaultServer } from '../support/fault-server.js';
import * as fault from '../support/fault-server.js';
import { createClient } from '../support/vault-client.js';

type Context = VaultTraceContext & { readonly error?: unknown };
type Trace = readonly [event: string, context: Context];

const CHANNELS = ['nestjs-vault:request', 'nestjs-vault:attempt'] as const;
const TOKEN = canary('token');
const PASSWORD = canary('password');
const NEW_PASSWORD = canary('new-password');
const QUERY = canary('query');
const HEADER = canary('header');
const SECRET = {
  data: {
    data: { password: PASSWORD },
    metadata: { version: 1, created_time: '', deletion_time: '', destroyed: false, custom_metadata: null },
  },
};

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(handler: FaultHandler): Promise<FaultServer> {
  const server = await fault.startFaultServer(handler);
  ends.push(() => server.close());
  return server;
}

/** Every event of both channels, with the context as it was at that time. */
function record(): Trace[] {
  const traces: Trace[] = [];
  for (const name of CHANNELS) {
    const channel = tracingChannel(name);
    const of = (event: string) => (context: object) =>
      void traces.push([`${name.replace('nestjs-vault:', '')} ${event}`, { ...(context as Context) }]);
    const subscribers = {
      start: of('start'),
      end: () => undefined,
      asyncStart: () => undefined,
      asyncEnd: of('end'),
      error: of('error'),
    };
    channel.subscribe(subscribers);
    ends.push(() => channel.unsubscribe(subscribers));
  }
  return traces;
}

async function connect(server: FaultServer) {
  const client = await createClient(server.endpoint, TOKEN, { retries: 1 });
  ends.push(() => client.close());
  return client;
}

describe('tracing channels', () => {
  it('a request and its attempt are published from start to end', async () => {
    const server = await serve(fault.json(200, SECRET));
    const traces = record();
    const kv = new Kv2Engine(await connect(server));
    expect((await kv.read('app')).data).toEqual({ password: PASSWORD });
    expect(traces.map(([event]) => event)).toEqual(['request start', 'attempt start', 'attempt end', 'request end']);
    const fixed = {
      operation: 'read KV v2 secret "app" in mount "secret"',
      method: 'GET',
      path: 'secret/data/app',
      endpoint: server.endpoint,
    };
    expect(traces[1]?.[1]).toMatchObject({ ...fixed, attempt: 1, statusCode: undefined });
    expect(traces[3]?.[1]).toMatchObject({ ...fixed, attempt: 1, statusCode: 200, errorCode: undefined });
  });

  it('each attempt is published, with the reason of its failure', async () => {
    const server = await serve(fault.inTurn(fault.vaultError(412, ['not yet']), fault.json(200, SECRET)));
    const traces = record();
    await new Kv2Engine(await connect(server)).read('app');
    expect(
      traces.map(([event, { attempt, statusCode, errorCode }]) => [event, attempt, statusCode, errorCode]),
    ).toEqual([
      ['request start', 0, undefined, undefined],
      ['attempt start', 1, undefined, undefined],
      ['attempt error', 1, 412, 'VAULT_REQUEST'],
      ['attempt end', 1, 412, 'VAULT_REQUEST'],
      ['attempt start', 2, undefined, undefined],
      ['attempt end', 2, 200, undefined],
      ['request end', 2, 200, undefined],
    ]);
  });

  it('a request that fails is published with its typed error', async () => {
    const server = await serve(fault.vaultError(403, ['1 error occurred:\n\t* permission denied\n\n']));
    const traces = record();
    await expect(new Kv2Engine(await connect(server)).read('app')).rejects.toMatchObject({ statusCode: 403 });
    const [event, context] = traces.find(([name]) => name === 'request error') ?? [];
    expect([event, context?.errorCode, context?.statusCode]).toEqual(['request error', 'VAULT_PERMISSION_DENIED', 403]);
    expect(isVaultError(context?.error)).toBe(true);
  });

  it('subscribers receive no token, no header, no query, no body and no secret value', async () => {
    const server = await serve(
      fault.inTurn(fault.json(200, SECRET), fault.vaultError(400, [`invalid: ${NEW_PASSWORD} ${TOKEN}`])),
    );
    const traces = record();
    const client = await connect(server);
    const headers = { 'x-gateway': HEADER };
    await client.request({ method: 'GET', path: 'secret/data/app', query: { q: QUERY }, headers });
    const write = { method: 'POST', path: 'secret/data/app', body: { data: { password: NEW_PASSWORD } } } as const;
    await expect(client.request(write)).rejects.toThrow();
    expect(traces.length).toBeGreaterThanOrEqual(9);
    expect(findLeaks(inspect(traces, { depth: Infinity, showHidden: true }))).toEqual([]);
  });

  it('the context of a store is in place while the attempt is sent', async () => {
    const server = await serve(fault.json(200, SECRET));
    const store = new AsyncLocalStorage<string>();
    const attempts = tracingChannel('nestjs-vault:attempt');
    const seen: (string | undefined)[] = [];
    attempts.start.bindStore(store, (context) => (context as VaultTraceContext).path);
    const undici = tracingChannel('nestjs-vault:attempt');
    const subscribers = { start: () => undefined, end: () => seen.push(store.getStore()) };
    undici.subscribe(subscribers as never);
    ends.push(
      () => attempts.start.unbindStore(store),
      () => undici.unsubscribe(subscribers as never),
    );
    await new Kv2Engine(await connect(server)).read('app');
    expect(seen).toEqual(['secret/data/app']);
    expect(store.getStore()).toBeUndefined();
  });
});
