import { describe, expect, it } from '@jest/globals';
import { VaultAuthenticationError, VaultConnectionError } from '../../lib/errors/index.js';
import { SessionBench } from '../support/session-bench.js';
import { SimulatedClock } from '../support/simulated-clock.js';

const HOUR = 3_600_000;

const unreachable = (): never => {
  throw new VaultConnectionError('Cannot reach it.');
};

describe('a long life', () => {
  it('of 768 hours is slept through in pieces, and renewed at two thirds', async () => {
    const bench = await new SessionBench(768 * 3600).open();
    await bench.clock.advance(0.39 * 768 * HOUR);
    expect(bench.renewals).toEqual([]);
    await bench.clock.advance(0.02 * 768 * HOUR);
    expect(bench.renewals).toHaveLength(1);
    // No timer longer than a minute, so none beyond what a timer can hold.
    expect(bench.clock.longestTimer).toBeLessThanOrEqual(300_000);
    await bench.session.close();
    expect(bench.clock.timers).toBe(0);
  }, 20_000);

  it('without an end costs no timer', async () => {
    const bench = await new SessionBench(0).open();
    expect(bench.clock.timers).toBe(0);
    expect(bench.session.status.expiresAt).toBeUndefined();
  });
});

describe('a clock that jumps', () => {
  it('forward, as over a suspended machine: the dead token is noticed within a minute of waking', async () => {
    const bench = await new SessionBench(3600).open();
    bench.clock.jump(10 * HOUR);
    expect(bench.session.state).toBe('recovering');
    await bench.clock.advance(60_000);
    expect(bench.logins).toHaveLength(2);
    expect(bench.session.state).toBe('active');
  });

  it('forward: a call does not wait for that, nor get the dead token', async () => {
    const bench = await new SessionBench(3600).open();
    bench.clock.jump(10 * HOUR);
    const handle = await bench.acquire();
    expect(handle.token).toBe('token-2');
  });

  it('back: the token has not become younger', async () => {
    const bench = await new SessionBench(3600).open();
    bench.clock.jump(-10 * HOUR);
    await bench.clock.advance(0.41 * HOUR);
    expect(bench.renewals).toHaveLength(1);
  });
});

describe('a server that is gone', () => {
  it('is tried again within the life of the token, then for a login, less and less often; and found when it is back', async () => {
    const bench = await new SessionBench(600).open();
    const { renew } = bench;
    bench.renew = unreachable;
    bench.logIn = unreachable;
    await bench.clock.advance(599_000);
    expect(bench.session.state).toBe('recovering');
    await bench.clock.advance(2_000 + HOUR);
    expect(bench.session.state).toBe('lost');
    // Bounded: 6 minutes of renewals, then an hour of logins.
    expect(bench.renewals.length).toBeGreaterThanOrEqual(5);
    expect(bench.renewals.length).toBeLessThanOrEqual(60);
    expect(bench.logins.length).toBeLessThanOrEqual(60);
    bench.renew = renew;
    bench.logIn = () => undefined;
    await bench.clock.advance(300_000);
    expect(bench.session.state).toBe('active');
    const told = bench.told().filter((type) => type.startsWith('session-'));
    expect(told).toEqual(['session-recovering', 'session-lost', 'session-recovered']);
  });

  it('a caller that finds no token is told why, and callers do not hammer', async () => {
    const bench = await new SessionBench(600).open();
    bench.clock.jump(HOUR);
    bench.logIn = unreachable;
    const failures: unknown[] = [];
    for (let call = 0; call < 100; call += 1) {
      const acquired = bench.acquire(3_000) as Promise<unknown>;
      acquired.catch((error: unknown) => failures.push(error));
      await bench.clock.advance(100);
    }
    await bench.clock.advance(20_000);
    expect(failures).toHaveLength(100);
    expect(failures[0]).toMatchObject({ code: 'VAULT_CONNECTION' });
    // Ten seconds of ten calls each.
    expect(bench.logins.length).toBeLessThanOrEqual(15);
  });

  it('a login that hangs for ever is given up, and tried again', async () => {
    const bench = await new SessionBench(600).open();
    const { renew } = bench;
    bench.renew = unreachable;
    bench.logIn = () => new Promise(() => undefined);
    await bench.clock.advance(600_000 + 300_000);
    bench.logIn = () => undefined;
    bench.renew = renew;
    await bench.clock.advance(600_000);
    expect(bench.session.state).toBe('active');
  });
});

describe('a login that hangs while renewals fail', () => {
  it('does not keep a token from being renewed once the server takes that again', async () => {
    const bench = await new SessionBench(600).open();
    const { renew } = bench;
    bench.renew = unreachable;
    bench.logIn = () => new Promise(() => undefined);
    while (bench.logins.length < 2) await bench.clock.advance(1_000);
    bench.renew = renew;
    await bench.clock.advance(30_000);
    expect(bench.session.state).toBe('active');
    expect(bench.logins).toHaveLength(2);
    expect((bench.session.status.expiresAt as Date).getTime()).toBeGreaterThan(bench.clock.now() + 500_000);
  });

  it('is given up after a minute', async () => {
    const bench = await new SessionBench(600).open();
    bench.logIn = () => new Promise(() => undefined);
    const outcome = bench.session.login().catch((error: unknown) => error);
    await bench.clock.advance(60_000);
    expect(await outcome).toMatchObject({ code: 'VAULT_TIMEOUT', message: expect.stringMatching(/60 s\./) as unknown });
  });
});

it('a login that hangs when the session is closed leaves no timer, and is over for who waits for it', async () => {
  const bench = await new SessionBench(600).open();
  bench.logIn = () => new Promise(() => undefined);
  const outcome = bench.session.login().catch((error: unknown) => error);
  const told = bench.told();
  await bench.session.close();
  expect(await outcome).toMatchObject({ code: 'VAULT_CLOSED' });
  expect(bench.clock.timers).toBe(0);
  expect(bench.told()).toEqual([...told, 'session-closed']);
});

it('a login that failed for a reason that looks permanent is tried again in the background all the same', async () => {
  const bench = await new SessionBench(600, { renewable: false }).open();
  bench.logIn = () => {
    throw new VaultAuthenticationError('No metadata service.', { reason: 'metadata-unreachable' });
  };
  await bench.clock.advance(1_000_000);
  expect(bench.session.state).toBe('lost');
  const before = bench.logins.length;
  await bench.clock.advance(600_000);
  expect(bench.logins.length).toBeGreaterThan(before);
  bench.logIn = () => undefined;
  await bench.clock.advance(300_000);
  expect(bench.session.state).toBe('active');
});

describe('before the application is up', () => {
  it('nothing goes on in the background; a call that needs a token gets one', async () => {
    const bench = await new SessionBench(600).open(false);
    expect(bench.clock.timers).toBe(0);
    await bench.clock.advance(601_000);
    expect(bench.renewals).toEqual([]);
    const handle = await bench.acquire();
    expect(handle.token).toBe('token-2');
    expect(bench.clock.timers).toBe(0);
    handle.release(true);
    await bench.clock.advance(HOUR);
    expect(bench.clock.timers).toBe(0);
  });

  it('what was left undone is done at the start', async () => {
    const bench = await new SessionBench(600).open(false);
    await bench.clock.advance(599_000);
    bench.session.start();
    bench.session.start();
    await bench.clock.advance(1_000);
    expect(bench.logins.length + bench.renewals.length).toBe(2);
    expect(bench.session.state).toBe('active');
    expect(bench.clock.timers).toBeLessThanOrEqual(2);
  });

  it('a session closed by then stays closed', async () => {
    const bench = await new SessionBench(600).open(false);
    await bench.session.close();
    bench.session.start();
    expect(bench.clock.timers).toBe(0);
  });
});

it('a renewal that grants less than before is the last one: the token is replaced', async () => {
  const bench = await new SessionBench(600).open();
  bench.renew = () => ({ auth: { lease_duration: 300, renewable: true } });
  await bench.clock.advance(600_000);
  expect(bench.renewals).toHaveLength(1);
  expect(bench.logins).toHaveLength(2);
  expect(bench.told()).not.toContain('session-recovering');
});

it('a thousand instances that start together spread their renewals', async () => {
  const ttl = 600;
  const clock = new SimulatedClock();
  const benches = await Promise.all(
    Array.from({ length: 1000 }, () => new SessionBench(ttl, {}, { clock, random: Math.random }).open()),
  );
  await clock.advance(4 * ttl * 1000);
  // Buckets of a twentieth of the ttl over the three ttls after the first.
  const width = (ttl * 1000) / 20;
  const buckets = new Array<number>(60).fill(0);
  for (const at of benches.flatMap(({ renewals }) => renewals)) {
    const bucket = Math.floor((at - ttl * 1000) / width);
    if (bucket >= 0 && bucket < 60) buckets[bucket] = (buckets[bucket] as number) + 1;
  }
  const mean = buckets.reduce((sum, count) => sum + count, 0) / buckets.length;
  // 1.5 renewals per ttl and instance.
  expect(mean).toBeGreaterThan(70);
  expect(Math.max(...buckets) / mean).toBeLessThanOrEqual(1.5);
  expect(benches.every(({ logins }) => logins.length === 1)).toBe(true);
}, 60_000);
