import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { boot } from '../../lib/boot/boot.js';
import { WaitProgress } from '../../lib/boot/boot-attempts.js';
import { VaultConnectionError } from '../../lib/errors/index.js';
import type { VaultModuleOptions } from '../../lib/index.js';
import { loadVaultConfig, VaultModule } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { canary, findLeaks } from '../support/canary.js';
import * as fault from '../support/fault-server.js';

const PASSWORD = canary('password');
/** No test waits so long: what it waits for happens, or it fails. */
const LONG = { timeoutMs: 600_000 };

let server: VaultServer;
const ends: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  server = await startVaultServer({ storage: 'file', seal: { shares: 1, threshold: 1 } });
  await server.seed({ 'secret/app': { A: 'there' } });
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('PUT', 'sys/policies/acl/app', { policy: 'path "secret/data/app" { capabilities = ["read"] }' });
  await server.request('POST', 'auth/userpass/users/app', { password: PASSWORD, token_policies: ['app'] });
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => server.stop());

const options = (more: VaultModuleOptions): VaultModuleOptions => ({
  endpoint: server.endpoint,
  auth: { method: 'userpass', username: 'app', password: PASSWORD },
  config: { sources: ['app'] },
  request: { retries: 0 },
  boot: LONG,
  ...more,
});

/** Boots, and calls `onWaiting` at the first line of progress. */
async function start(more: VaultModuleOptions, onWaiting: () => unknown = () => undefined) {
  const lines: string[] = [];
  let details = 0;
  let waiting: unknown;
  const warn = (line: unknown): void => {
    if (lines.push(String(line)) === 1) waiting = onWaiting();
  };
  const failed = (line: unknown) => void (details += String(line).startsWith('login-failed') ? 1 : 0);
  const app: INestApplicationContext = await NestFactory.createApplicationContext(
    { module: class AppModule {}, imports: [VaultModule.forRoot(options(more))] },
    { abortOnError: false, logger: { log: () => undefined, debug: failed, warn, error: () => undefined } },
  );
  ends.push(() => app.close());
  await waiting;
  // That of the first attempt, before it is known that there will be others.
  expect(details).toBeLessThan(2);
  return { value: app.get(ConfigService).get<string>('A'), lines };
}

async function serve(...args: Parameters<typeof fault.startFaultServer>): Promise<fault.FaultServer> {
  const made = await fault.startFaultServer(...args);
  ends.push(() => made.close());
  return made;
}

describe('a boot waits for a Vault that is starting, and says so once:', () => {
  it('nothing listens yet', async () => {
    const port = await fault.freePort();
    const { value, lines } = await start({ endpoint: `http://127.0.0.1:${port}` }, () =>
      serve(fault.forwardTo(server.endpoint), { port }),
    );
    expect(value).toBe('there');
    expect(lines).toEqual([expect.stringMatching(/ECONNREFUSED.*"boot\.timeoutMs"/)]);
    expect(findLeaks(lines.join('\n'))).toEqual([]);
  });

  it('it is sealed', async () => {
    await server.seal();
    const { value, lines } = await start({}, () => server.unseal());
    expect(value).toBe('there');
    expect(lines).toEqual([expect.stringMatching(/sealed.*"boot\.timeoutMs"/)]);
  });

  it('it is sealed, and "unseal" opens it once it listens', async () => {
    await server.seal();
    const port = await fault.freePort();
    const more = { endpoint: `http://127.0.0.1:${port}`, unseal: { keys: [...server.unsealKeys] } };
    const { value } = await start(more, () => serve(fault.forwardTo(server.endpoint), { port }));
    expect(value).toBe('there');
  });

  it('its cluster has no leader yet', async () => {
    const front = await serve(fault.json(500, { errors: ['local node not active but active cluster node not found'] }));
    const { value, lines } = await start({ endpoint: front.endpoint }, () =>
      front.answerWith(fault.forwardTo(server.endpoint)),
    );
    expect([value, lines.length]).toEqual(['there', 1]);
  });

  it('a proxy before it has no server yet, and reads fail after the login', async () => {
    let there = false;
    const front = await serve(
      fault.forwardTo(server.endpoint, {
        intercept: ({ url }, response, forward) =>
          url.includes('/data/') && !there ? fault.html(502)(front.requests[0]!, response) : forward(),
      }),
    );
    const { value, lines } = await start({ endpoint: front.endpoint }, () => (there = true));
    expect([value, lines.length]).toEqual(['there', 1]);
    // The token of the first attempt serves.
    expect(front.requests.filter(({ url }) => url.endsWith('/login/app'))).toHaveLength(1);
  });

  it('also without an application', async () => {
    const port = await fault.freePort();
    const warn = jest.spyOn(console, 'warn').mockImplementationOnce(() => void serve(fault.forwardTo(server.endpoint), { port })); // prettier-ignore
    expect(await loadVaultConfig(options({ endpoint: `http://127.0.0.1:${port}` }))).toEqual({ A: 'there' });
    warn.mockRestore();
  });
});

describe('a boot does not wait', () => {
  const refusal = (status: number, text: string) => fault.json(status, { errors: [text] });

  it.each<[string, fault.FaultHandler, string]>([
    ['a refused login', refusal(400, 'invalid username or password'), 'VAULT_AUTHENTICATION'],
    ['a denial', refusal(403, 'permission denied'), 'VAULT_'],
    ['a missing mount', refusal(404, 'no handler for route'), 'VAULT_'],
    ['a failure inside', refusal(500, 'could not load backend configuration'), 'VAULT_SERVER'],
    ['a web page', fault.html(), 'VAULT_BAD_RESPONSE'],
  ])('after %s', async (_, answer, code) => {
    const front = await serve(answer);
    const waiting = jest.fn();
    await expect(start({ endpoint: front.endpoint }, waiting)).rejects.toMatchObject({
      code: expect.stringContaining(code) as unknown,
    });
    expect(waiting).not.toHaveBeenCalled();
  });

  it('for a secret that is missing, nor for a server whose certificate is not trusted, nor with a wrong option', async () => {
    const secure = await startVaultServer({ tls: true });
    ends.push(() => secure.stop());
    const waiting = jest.fn();
    const refused: [VaultModuleOptions, string][] = [
      [{ config: { sources: ['app', 'missing'] } }, 'VAULT_CONFIGURATION'],
      [{ endpoint: secure.endpoint }, 'VAULT_TLS'],
      [{ endpoint: 'vault:8200' }, 'VAULT_INVALID_OPTION'],
    ];
    for (const [more, code] of refused) await expect(start(more, waiting)).rejects.toMatchObject({ code });
    expect(waiting).not.toHaveBeenCalled();
  });

  it('for a secret that is denied while another one does not come', async () => {
    const front = await serve(
      fault.forwardTo(server.endpoint, {
        intercept: ({ url }, response, forward) =>
          url.endsWith('/data/app') ? fault.html(502)(front.requests[0]!, response) : forward(),
      }),
    );
    const waiting = jest.fn();
    const more = { endpoint: front.endpoint, config: { sources: ['app', 'denied'] } };
    await expect(start(more, waiting)).rejects.toMatchObject({
      code: 'VAULT_CONFIGURATION',
      message: expect.stringContaining('secret/data/denied') as unknown,
    });
    expect(waiting).not.toHaveBeenCalled();
  });
});

describe('a boot that has waited', () => {
  it.each<[string, () => Promise<string>, string]>([
    ['nothing listens', async () => `http://127.0.0.1:${await fault.freePort()}`, 'VAULT_CONNECTION'],
    // Too long for a name, so that no name server is asked, however far away that is.
    ['its name is not known', () => Promise.resolve(`http://${'v'.repeat(64)}.invalid:8200`), 'VAULT_CONNECTION'],
    ['it is sealed', () => server.seal().then(() => server.endpoint), 'VAULT_SEALED'],
  ])('until "boot.timeoutMs" fails with the reason, and leaves nothing behind: %s', async (_, endpoint, code) => {
    const waiting = jest.fn();
    await expect(start({ endpoint: await endpoint(), boot: { timeoutMs: 1_000 } }, waiting)).rejects.toMatchObject({
      code,
      retryable: true,
      message: expect.stringContaining('boot.timeoutMs') as unknown,
    });
    expect(waiting).toHaveBeenCalled();
    if (code === 'VAULT_SEALED') await server.unseal();
  });

  it('ends at once when it is aborted', async () => {
    const front = await serve(fault.json(503, { errors: ['Vault is sealed'] }));
    const stop = new AbortController();
    const log = { log: () => undefined, debug: () => undefined, error: () => undefined, warn: () => stop.abort() };
    await expect(boot(options({ endpoint: front.endpoint }), { log, signal: stop.signal })).rejects.toMatchObject({
      code: 'VAULT_ABORTED',
    });
    const { length } = front.requests;
    await front.until(() => front.connections === 0);
    expect(front.requests).toHaveLength(length);
  });
});

it('tells of a long wait after longer and longer silences', () => {
  jest.useFakeTimers();
  try {
    const at: number[] = [];
    const begin = performance.now();
    const warn = () => void at.push(Math.round((performance.now() - begin) / 1000));
    const progress = new WaitProgress({ warn }, 600_000);
    for (let attempt = 0; attempt < 1_600; attempt += 1) {
      progress.attemptFailed(new VaultConnectionError('away'));
      jest.advanceTimersByTime(100);
    }
    expect(at).toEqual([0, 10, 30, 70, 150]);
  } finally {
    jest.useRealTimers();
  }
});
