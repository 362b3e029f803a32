import { expect, it } from '@jest/globals';
import {
  VaultAuthenticationError,
  VaultConnectionError,
  VaultRateLimitedError,
  VaultSealedError,
  VaultServerError,
  VaultTimeoutError,
} from '../../lib/errors/index.js';
import { SessionBench } from '../support/session-bench.js';

/** Milliseconds for which calls start no login, after each of so many failures. */
async function cooldowns(failure: Error, failures: number): Promise<number[]> {
  const bench = new SessionBench(0);
  bench.logIn = () => Promise.reject(failure);
  await expect(bench.acquire(1)).rejects.toBe(failure);
  while (bench.logins.length <= failures) {
    const next = bench.logins.length + 1;
    void Promise.resolve(bench.acquire(120_000)).catch(() => undefined);
    while (bench.logins.length < next) await bench.clock.advance(100);
  }
  return bench.logins.slice(1).map((at, index) => at - (bench.logins[index] as number));
}

it.each([
  new VaultConnectionError('refused'),
  new VaultSealedError('sealed'),
  new VaultServerError('internal'),
  new VaultTimeoutError('late'),
])('callers wait 5 s at most for a server that is away: %s', async (failure) => {
  expect(await cooldowns(failure, 8)).toEqual([1000, 2000, 4000, 5000, 5000, 5000, 5000, 5000]);
});

it.each([new VaultAuthenticationError('denied'), new VaultRateLimitedError('too many'), new Error('a function threw')])(
  'callers wait up to 30 s where a login was refused: %s',
  async (failure) => {
    expect(await cooldowns(failure, 7)).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  },
);

it('a caller that cannot wait that long gets the last failure, and starts no login', async () => {
  const bench = new SessionBench(0);
  const failure = new VaultSealedError('sealed');
  bench.logIn = () => Promise.reject(failure);
  await expect(bench.acquire(500)).rejects.toBe(failure);
  await expect(bench.acquire(500)).rejects.toBe(failure);
  expect(bench.logins).toHaveLength(1);
});
