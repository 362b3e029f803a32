import { afterEach, expect, it, jest } from '@jest/globals';
import { SnapshotRecovery } from '../../lib/boot/snapshot-recovery.js';
import type { VaultError } from '../../lib/index.js';
import {
  VaultConfigurationError,
  VaultConnectionError,
  VaultInvalidOptionError,
  VaultPermissionError,
} from '../../lib/index.js';

afterEach(() => void jest.useRealTimers());

it('tells every new reason once, also when it is inside of the same kind of error', async () => {
  jest.useFakeTimers();
  const summary = (...errors: VaultError[]) => new VaultConfigurationError('The configuration:', errors);
  const denied = (path: string) => new VaultPermissionError(`${path} is denied`, { path });
  const away = (port: number) => new VaultConnectionError(`no connection from port ${port}`, {});
  const failures = [
    away(1),
    away(2),
    summary(denied('a')),
    summary(denied('a')),
    summary(denied('b')),
    summary(new VaultInvalidOptionError('does not fit')),
    new Error('quotes a value'),
    away(3),
  ];
  const told: string[] = [];
  const attempt = (): Promise<void> => {
    const failure = failures.shift();
    return failure ? Promise.reject(failure) : Promise.resolve();
  };
  const recovery = new SnapshotRecovery(attempt, (message) => told.push(message.split('\n').pop() ?? ''));
  await jest.advanceTimersByTimeAsync(300_000);
  await recovery.close();
  expect(failures).toEqual([]);
  expect(told).toEqual([
    'Still running on the snapshot: no connection from port 1',
    '  1. a is denied',
    '  1. b is denied',
    '  1. does not fit',
    'Still running on the snapshot: an unexpected error.',
    'Still running on the snapshot: no connection from port 3',
  ]);
});
