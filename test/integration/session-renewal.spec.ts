import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { vaultError } from '../support/fault-server.js';
import type { OpenedSession } from '../support/auth-bench.js';
import { AuthBench } from '../support/auth-bench.js';

let server: AuthBench;

beforeAll(async () => {
  server = await AuthBench.start();
  await server.server.seed({ 'secret/app': { a: 1 } });
  await server.server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.server.request('PUT', 'sys/policies/acl/app', {
    policy: 'path "secret/data/app" { capabilities = ["read"] }',
  });
});
afterAll(() => server.stop());

let users = 0;
/** A busy machine may stop for a while: with this, a fifth of a life is left before a renewal would come too late. */
const EARLY = { random: () => 0.9 };

/** A user of its own on the one server, and the requests of nobody else. */
class Scenario {
  readonly #name = `user-${(users += 1)}`;

  constructor(readonly bench: AuthBench) {}

  /** Logs in as a new user with these settings. */
  async open(settings: object): Promise<OpenedSession> {
    const user = { password: 'pw-of-app', token_policies: ['app'], ...settings };
    await this.bench.server.request('POST', `auth/userpass/users/${this.#name}`, user);
    return this.bench.open({ method: 'userpass', username: this.#name, password: 'pw-of-app' }, EARLY);
  }

  token(settings: object): Promise<string> {
    return this.bench.token({ policies: ['app', 'default'], ...settings });
  }

  get logins(): number {
    return this.bench.sent(`login/${this.#name}`).length;
  }

  get renewals(): number {
    return this.bench.sent('renew-self').length;
  }

  /** Reads all the time until then; every failed read counts. */
  async readUntil(session: OpenedSession, over: () => boolean): Promise<unknown[]> {
    const failures: unknown[] = [];
    const client = this.bench.clientOf(session);
    while (!over()) {
      await client.request({ method: 'GET', path: 'secret/data/app' }).catch((error: unknown) => failures.push(error));
      await delay(40);
    }
    return failures;
  }
}

const begins: (() => void)[] = [];
beforeAll(() => begins.forEach((begin) => begin()));

/** A test that waits for the server's clock most of the time: all begin together. */
function scenario(name: string, run: (scenario: Scenario) => Promise<void>): void {
  let outcome: Promise<{ readonly error?: unknown }>;
  const play = async (): Promise<void> => {
    const bench = await server.beside();
    try {
      await run(new Scenario(bench));
    } finally {
      await bench.stop();
    }
  };
  begins.push(() => {
    outcome = play().then(
      () => ({}),
      (error: unknown) => ({ error }),
    );
  });
  it(
    name,
    async () => {
      const { error } = await outcome;
      if (error !== undefined) throw error as Error;
    },
    60_000,
  );
}

describe('a token of 4 s', () => {
  scenario('is renewed again and again, and no read fails', async (on) => {
    const session = await on.open({ token_ttl: '4s' });
    const { accessor, expiresAt } = session;
    const failures = await on.readUntil(session, () => on.renewals >= 3);
    expect(failures).toEqual([]);
    expect(on.logins).toBe(1);
    expect(session.accessor).toBe(accessor);
    expect(session.policies).toEqual(['app', 'default']);
    expect(session.expiresAt?.getTime()).toBeGreaterThan((expiresAt as Date).getTime() + 2000);
    expect(['active', 'renewing']).toContain(session.state);
  });

  scenario('that may live 6 s in all is replaced in time', async (on) => {
    const session = await on.open({ token_ttl: '4s', token_max_ttl: '6s' });
    expect(await on.readUntil(session, () => on.logins >= 3)).toEqual([]);
    expect(on.bench.events.filter(({ type }) => type === 'session-lost' || type === 'session-recovering')).toEqual([]);
  });

  scenario('that may not be renewed is replaced in time, and renewal asked for once', async (on) => {
    const session = await on.open({ token_ttl: '4s', token_policies: ['app'], token_no_default_policy: true });
    expect(await on.readUntil(session, () => on.logins >= 3)).toEqual([]);
    // Once for each token.
    expect(on.renewals).toBeLessThanOrEqual(on.logins);
  });

  scenario('of the batch kind is replaced in time, and never renewed', async (on) => {
    const session = await on.open({ token_ttl: '4s', token_type: 'batch' });
    expect(await on.readUntil(session, () => on.logins >= 3)).toEqual([]);
    expect(on.renewals).toBe(0);
  });

  scenario('that is periodic is renewed', async (on) => {
    const session = await on.open({ token_period: '4s' });
    expect(await on.readUntil(session, () => on.renewals >= 3)).toEqual([]);
    expect(on.logins).toBe(1);
  });
});

describe('a token with a number of uses', () => {
  scenario('is replaced before they are used up, and never renewed', async (on) => {
    const session = await on.open({ token_num_uses: 10, token_ttl: '4s' });
    expect(await on.readUntil(session, () => on.logins >= 4)).toEqual([]);
    expect(on.renewals).toBe(0);
  });

  scenario('of one costs a login for each call', async (on) => {
    const client = on.bench.clientOf(await on.open({ token_num_uses: 1 }));
    for (let call = 0; call < 3; call += 1) await client.request({ method: 'GET', path: 'secret/data/app' });
    expect(on.logins).toBe(3);
  });
});

describe('a token of the user', () => {
  scenario('is renewed, and never revoked', async (on) => {
    const session = await on.bench.open({ method: 'token', token: await on.token({ ttl: '4s' }) }, EARLY);
    expect(await on.readUntil(session, () => on.renewals >= 3)).toEqual([]);
    const { accessor } = session;
    await session.close();
    expect(await on.bench.alive(accessor)).toBe(true);
    expect(on.bench.sent('revoke-self')).toEqual([]);
  });

  scenario('is fetched again from its source near its end', async (on) => {
    const session = await on.bench.open(
      { method: 'token', token: () => on.token({ ttl: '4s', renewable: false }) },
      EARLY,
    );
    const first = session.accessor;
    expect(await on.readUntil(session, () => on.bench.sent('lookup-self').length >= 3)).toEqual([]);
    expect(session.accessor).not.toBe(first);
    expect(on.renewals).toBe(0);
  });

  scenario('that never ends costs nothing', async (on) => {
    const session = await on.bench.open({ method: 'token', token: on.bench.server.rootToken });
    expect(session.expiresAt).toBeUndefined();
    expect(session.state).toBe('active');
  });
});

describe('a renewal that fails', () => {
  scenario('is tried again within the life of the token', async (on) => {
    const session = await on.open({ token_ttl: '6s' });
    let refused = 0;
    on.bench.intercept(async (request, response, forward) => {
      if (!request.url.endsWith('renew-self') || refused >= 2) return forward();
      refused += 1;
      await vaultError(500, ['internal error'])(request, response);
    });
    const renewed = () => on.bench.events.filter(({ type }) => type === 'token-renewed').length;
    expect(await on.readUntil(session, () => renewed() >= 2)).toEqual([]);
    expect([on.logins, on.renewals]).toEqual([1, 4]);
    expect(on.bench.events.map(({ type }) => type)).toEqual([
      'login',
      'renewal-failed',
      'session-recovering',
      'renewal-failed',
      'session-recovered',
      'token-renewed',
      'token-renewed',
    ]);
  });

  scenario('for good leads to a new login before the token ends', async (on) => {
    const session = await on.open({ token_ttl: '6s' });
    on.bench.intercept((request, response, forward) =>
      request.url.endsWith('renew-self') ? vaultError(500, ['internal error'])(request, response) : forward(),
    );
    expect(await on.readUntil(session, () => on.logins >= 3)).toEqual([]);
    expect(session.state).not.toBe('lost');
  });
});
