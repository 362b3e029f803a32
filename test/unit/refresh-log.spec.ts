import { afterEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { RefreshLog } from '../../lib/config/refresh/refresh-log.js';
import { VaultSealedError } from '../../lib/errors/index.js';

afterEach(() => {
  jest.restoreAllMocks();
});

it('an outage of two hundred sources is no two hundred lines, and its end is told', () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const log = jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
  const codes: number[] = [];
  const refreshLog = new RefreshLog((event) => event.type === 'config-problem' && codes.push(event.codes.length));
  const outage = (reason: string) =>
    Array.from({ length: 200 }, (_, index) => new VaultSealedError(`Cannot read "s${index}": ${reason}.`, {}));
  refreshLog.add({ change: undefined, problems: outage('sealed') });
  refreshLog.add({ change: undefined, problems: outage('sealed') });
  const change = { keys: ['KEY'], secrets: [], at: new Date() };
  refreshLog.add({ change, problems: outage('sealed').slice(0, 2) });
  refreshLog.add({ change: undefined, problems: [] });
  const [first, second, ...others] = warn.mock.calls.map(([text]) => String(text));
  expect(first?.split('\n')).toEqual([
    ...['The configuration stays as it was: Cannot read "s0": sealed.', 'Cannot read "s1": sealed.'],
    ...['Cannot read "s2": sealed.', 'Cannot read "s3": sealed.', 'Cannot read "s4": sealed.'],
    'And 195 more, which are among the "problems" of vault.refresh().',
  ]);
  expect(second).toBe(
    'The rest of the configuration stays as it was: Cannot read "s0": sealed.\nCannot read "s1": sealed.',
  );
  expect(others).toEqual([]);
  expect(codes).toEqual([200, 2, 0]);
  expect(log.mock.calls.flat()).toEqual(['Configuration changed: KEY', 'The configuration is current again.']);
});
