import { expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { VaultConnectionError } from '../../lib/errors/index.js';
import type { VaultSessionState } from '../../lib/session/session-options.js';
import { VaultSession } from '../../lib/session/vault-session.js';
import { SessionBench } from '../support/session-bench.js';

const unreachable = (): never => {
  throw new VaultConnectionError('Cannot reach it.', { operation: 'log in' });
};

it('the status describes the session as plain frozen data, from the first login to the end', async () => {
  const bench = new SessionBench(600, { policies: ['app'] });
  const session = new VaultSession(bench.session);
  const at = (): Date => new Date(bench.clock.now());
  const advanceWhile = async (state: VaultSessionState): Promise<void> => {
    while (session.state === state) await bench.clock.advance(1_000);
  };
  const begun = at();
  const method = 'simulated';
  const none = { accessor: undefined, policies: [], expiresAt: undefined };
  expect(session.status).toEqual({ state: 'starting', since: begun, method, ...none, lastFailure: undefined });

  await bench.clock.advance(1_000);
  await bench.open();
  const opened = at();
  const token = { accessor: 'token-1', policies: ['app'], expiresAt: new Date(bench.clock.now() + 600_000) };
  expect(session.status).toEqual({ state: 'active', since: opened, method, ...token, lastFailure: undefined });
  expect(Object.isFrozen(session.status)).toBe(true);
  expect(inspect(session, { depth: 9, showHidden: true })).not.toContain('token-1');

  const { renew } = bench;
  bench.renew = unreachable;
  bench.logIn = unreachable;
  await advanceWhile('active');
  const failed = expect.objectContaining({ code: 'VAULT_CONNECTION', reason: 'Cannot reach it.' }) as unknown;
  const recovering = session.status;
  expect(recovering).toMatchObject({ state: 'recovering', accessor: 'token-1', lastFailure: failed });
  expect(recovering.since).toEqual(recovering.lastFailure?.at);
  expect(recovering.since.getTime()).toBeGreaterThan(at().getTime() - 1_000);

  await advanceWhile('recovering');
  expect(session.status).toMatchObject({ state: 'lost', lastFailure: failed });

  bench.renew = renew;
  bench.logIn = () => undefined;
  await advanceWhile('lost');
  expect(session.state).toBe('active');
  const { since, lastFailure } = session.status;
  expect(since.getTime()).toBeGreaterThan(opened.getTime() + 600_000);
  expect(lastFailure).toMatchObject({ code: 'VAULT_CONNECTION' });

  await bench.session.close();
  expect(session.status).toMatchObject({ state: 'closed', since: at(), ...none });
});
