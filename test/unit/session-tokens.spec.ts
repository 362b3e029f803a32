import { describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import type { TokenHandle } from '../../lib/client/token-source.js';
import { VaultConnectionError } from '../../lib/errors/index.js';
import { SessionBench } from '../support/session-bench.js';

const HOUR = 3_600_000;

describe('a token with a limited number of uses', () => {
  it('is replaced in the background when a fifth of its uses is left, and serves until then', async () => {
    const bench = await new SessionBench(0, { numUses: 10 }).open();
    const handles: TokenHandle[] = [];
    for (let use = 0; use < 7; use += 1) handles.push(bench.acquire() as TokenHandle);
    await bench.clock.advance(0);
    expect(bench.logins).toHaveLength(1);
    handles.push(bench.acquire() as TokenHandle);
    await bench.clock.advance(0);
    expect(bench.logins).toHaveLength(2);
    expect(handles.map(({ token }) => token)).toEqual(new Array(8).fill('token-1'));
    expect((bench.acquire() as TokenHandle).token).toBe('token-2');
  });

  it('is not used more often than that: the next call waits for another token', async () => {
    const bench = await new SessionBench(0, { numUses: 3 }).open();
    for (let use = 0; use < 3; use += 1) expect((bench.acquire() as TokenHandle).token).toBe('token-1');
    expect(bench.logins).toHaveLength(1);
    const next = bench.acquire();
    expect(next).toBeInstanceOf(Promise);
    expect((await next).token).toBe('token-2');
  });
});

describe('a replaced token', () => {
  it('is not revoked before the last call that uses it has ended', async () => {
    const bench = await new SessionBench(0).open();
    const first = bench.acquire() as TokenHandle;
    const second = bench.acquire() as TokenHandle;
    await bench.session.login();
    await bench.clock.advance(HOUR);
    first.release(true);
    first.release(true);
    await bench.clock.advance(HOUR);
    expect(bench.revoked).toEqual([]);
    second.release(false);
    await bench.clock.advance(0);
    expect(bench.revoked).toEqual(['token-1']);
  });

  it('is not revoked before its grace period is over', async () => {
    const bench = await new SessionBench(0).open();
    (bench.acquire() as TokenHandle).release(true);
    await bench.session.login();
    await bench.clock.advance(29_999);
    expect(bench.revoked).toEqual([]);
    await bench.clock.advance(1);
    expect(bench.revoked).toEqual(['token-1']);
    expect(bench.clock.timers).toBe(0);
  });
});

describe('a login', () => {
  it.each(['succeeds', 'fails', 'is aborted'])('leaves no listener on the signal when it %s', async (outcome) => {
    const bench = new SessionBench(0);
    const controller = new AbortController();
    if (outcome === 'fails') bench.logIn = () => Promise.reject(new VaultConnectionError('refused'));
    if (outcome === 'is aborted') bench.logIn = () => new Promise(() => undefined);
    const login = bench.session.login(controller.signal).catch((error: unknown) => error);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    if (outcome === 'is aborted') controller.abort();
    await login;
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(bench.clock.timers).toBe(0);
  });
});

describe('the first renewal', () => {
  const ttl = 1_000;

  it('after the first login may come at any time of the period, so that instances are spread', async () => {
    const bench = await new SessionBench(ttl, {}, { random: () => 0.99 }).open();
    await bench.clock.advance(0.073 * ttl * 1_000);
    expect(bench.renewals).toHaveLength(0);
    await bench.clock.advance(0.001 * ttl * 1_000);
    expect(bench.renewals).toHaveLength(1);
    // The one after that is planned.
    await bench.clock.advance(0.6 * ttl * 1_000);
    expect(bench.renewals).toHaveLength(1);
    await bench.clock.advance(0.01 * ttl * 1_000);
    expect(bench.renewals).toHaveLength(2);
  });

  it('after a login that ends an outage is spread in the same way', async () => {
    const bench = await new SessionBench(ttl, {}, { random: () => 0.99 }).open();
    const { renew } = bench;
    bench.renew = () => Promise.reject(new VaultConnectionError('refused'));
    bench.logIn = bench.renew;
    await bench.clock.advance(2 * ttl * 1_000);
    expect(bench.session.state).toBe('lost');
    bench.renew = renew;
    bench.logIn = () => undefined;
    const { length } = bench.renewals;
    while (bench.session.state !== 'active') await bench.clock.advance(1_000);
    await bench.clock.advance(0.08 * ttl * 1_000);
    expect(bench.renewals).toHaveLength(length + 1);
  });

  it('after a planned login is not', async () => {
    const bench = await new SessionBench(ttl, { renewable: false }, { random: () => 0.99 }).open();
    await bench.clock.advance(0.074 * ttl * 1_000);
    expect(bench.logins).toHaveLength(2);
    await bench.clock.advance(0.6 * ttl * 1_000);
    expect(bench.logins).toHaveLength(2);
    await bench.clock.advance(0.01 * ttl * 1_000);
    expect(bench.logins).toHaveLength(3);
  });
});
