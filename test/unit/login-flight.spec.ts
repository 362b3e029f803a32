import { expect, it } from '@jest/globals';
import { LoginFlight } from '../../lib/auth/session/login-flight.js';
import {
  VaultAuthenticationError,
  VaultConnectionError,
  VaultRateLimitedError,
  VaultSealedError,
  VaultServerError,
  VaultTimeoutError,
} from '../../lib/errors/index.js';
import { SimulatedClock } from '../support/simulated-clock.js';

/** Milliseconds for which callers are kept from logging in, after each of so many failures. */
async function gaps(failure: Error, failures: number): Promise<number[]> {
  const clock = new SimulatedClock();
  const flight = new LoginFlight(
    () => Promise.reject(failure),
    () => undefined,
    { clock },
  );
  const found: number[] = [];
  for (let count = 0; count < failures; count += 1) {
    await expect(flight.soon(60_000)).rejects.toBe(failure);
    found.push(flight.closedForMs);
    await clock.advance(flight.closedForMs);
  }
  return found;
}

it.each([
  new VaultConnectionError('refused'),
  new VaultSealedError('sealed'),
  new VaultServerError('internal'),
  new VaultTimeoutError('late'),
])('callers wait 5 s at most for a server that is away: %s', async (failure) => {
  expect(await gaps(failure, 8)).toEqual([1000, 2000, 4000, 5000, 5000, 5000, 5000, 5000]);
});

it.each([new VaultAuthenticationError('denied'), new VaultRateLimitedError('too many'), new Error('a function threw')])(
  'callers wait up to 30 s where a login was refused: %s',
  async (failure) => {
    expect(await gaps(failure, 7)).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  },
);

it('who cannot wait that long gets the last failure, and no login is made for it', async () => {
  const clock = new SimulatedClock();
  const failure = new VaultSealedError('sealed');
  let logins = 0;
  const flight = new LoginFlight(
    () => {
      logins += 1;
      return Promise.reject(failure);
    },
    () => undefined,
    { clock },
  );
  await expect(flight.soon(500)).rejects.toBe(failure);
  await expect(flight.soon(500)).rejects.toBe(failure);
  expect(logins).toBe(1);
});
