import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { VaultAuth } from '../../lib/auth/login-methods.js';
import { createLoginMethod } from '../../lib/auth/login-methods.js';
import { fixedToken } from '../../lib/client/token-source.js';
import { createVaultClient } from '../../lib/client/vault-client.js';
import { SessionManager } from '../../lib/session/session-manager.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { OpenedSession } from '../support/auth-bench.js';
import type { FaultServer } from '../support/fault-server.js';
import { forwardTo, json, silent, startFaultServer } from '../support/fault-server.js';

let server: VaultServer;
/** Between the module and the server, to count requests. */
let front: FaultServer;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await startVaultServer();
  front = await startFaultServer(forwardTo(server.endpoint));
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app' });
});
afterEach(async () => {
  front.answerWith(forwardTo(server.endpoint));
  for (const close of closing.splice(0)) await close();
});
afterAll(async () => {
  await front.close();
  await server.stop();
});

async function session(auth: VaultAuth, endpoint = front.endpoint): Promise<OpenedSession> {
  const client = await createVaultClient(
    { endpoint, tls: {}, timeoutMs: 5000, connectTimeoutMs: 2000, maxConnections: 4 },
    fixedToken(undefined),
  );
  const manager = new SessionManager(client, createLoginMethod(auth), {
    shutdown: { revoke: true, timeoutMs: 1000 },
    graceMs: 0,
  });
  closing.push(async () => {
    await manager.close();
    await client.close();
  });
  await manager.login();
  manager.start();
  return new OpenedSession(manager);
}

const alive = async (accessor: string | undefined): Promise<boolean> =>
  (
    await server
      .request('POST', 'auth/token/lookup-accessor', { accessor }, { allowError: true } as never)
      .catch(() => ({ status: 403 }))
  ).status === 200;
async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(20);
}
const refusal = (message: RegExp, more: object = {}) => ({
  code: 'VAULT_AUTHENTICATION',
  message: expect.stringMatching(message) as unknown,
  ...more,
});

describe('the session', () => {
  const userpass = { method: 'userpass', username: 'app', password: 'pw-of-app' } as const;
  const logins = () => front.requests.filter(({ url }) => url.includes('/login/')).length;

  it('a login answer without a token is an error', async () => {
    for (const body of [
      {},
      { auth: null },
      { auth: {} },
      { auth: { client_token: '' } },
      { auth: { client_token: 7 } },
    ]) {
      front.answerWith(json(200, body));
      await expect(session(userpass)).rejects.toMatchObject(refusal(/without a client token/));
    }
  });

  it('fifty callers share one login, and a failed one is not remembered', async () => {
    const made = await session(userpass);
    const before = logins();
    await Promise.all(Array.from({ length: 50 }, () => made.relogin()));
    expect(logins() - before).toBe(1);
    front.answerWith(json(500, { errors: ['broken'] }));
    await expect(made.relogin()).rejects.toMatchObject({ code: 'VAULT_SERVER' });
    front.answerWith(forwardTo(server.endpoint));
    await made.relogin();
    expect(made.state).toBe('active');
  });

  it('gives back what it obtained: the token it replaces, and the last one on close', async () => {
    const made = await session(userpass);
    const first = made.accessor;
    expect(await alive(first)).toBe(true);
    await made.relogin();
    const second = made.accessor;
    await eventually(async () => !(await alive(first)));
    expect(await alive(second)).toBe(true);
    await made.close();
    expect(await alive(second)).toBe(false);
    await expect(made.relogin()).rejects.toMatchObject({ code: 'VAULT_CLOSED' });
  });

  it('closes without a server, within its limit', async () => {
    const made = await session(userpass);
    front.answerWith(silent());
    await made.close();
    expect(made.state).toBe('closed');
  });

  it('closed while logging in, it gives the new token back', async () => {
    const made = await session(userpass);
    front.answerWith(
      forwardTo(server.endpoint, {
        intercept: async (request, _response, forward) => {
          const closing = request.url.includes('/login/') ? made.close() : undefined;
          await forward();
          await closing;
        },
      }),
    );
    await expect(made.relogin()).rejects.toMatchObject({ code: 'VAULT_CLOSED' });
    const revoked = front.requests.filter(({ url }) => url.endsWith('auth/token/revoke-self'));
    expect(new Set(revoked.map(({ headers }) => headers['x-vault-token'])).size).toBeGreaterThanOrEqual(2);
  });
});
