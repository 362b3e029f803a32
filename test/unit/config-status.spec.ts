import { expect, it, jest } from '@jest/globals';
import { ConfigStatus } from '../../lib/config/refresh/config-status.js';
import { VaultSealedError } from '../../lib/errors/index.js';
import { EventHub } from '../../lib/observability/event-hub.js';
import { logEvents } from '../../lib/observability/log-events.js';

it('an outage of two hundred sources is logged in a few lines, and its end in one', () => {
  const logger = { log: jest.fn(), debug: jest.fn(), warn: jest.fn(), error: jest.fn() };
  const hub = new EventHub();
  const codes: number[] = [];
  hub.events$.subscribe((event) => event.type === 'config-problem' && codes.push(event.codes.length));
  logEvents(hub.events$, logger);
  const status = new ConfigStatus((event) => hub.emit(event), new Date(0), new Date(0));
  const outage = (reason: string) =>
    Array.from({ length: 200 }, (_, index) => new VaultSealedError(`Cannot read "s${index}": ${reason}.`, {}));
  status.refreshed({ change: undefined, problems: outage('sealed') });
  expect(status.at(undefined).problems).toHaveLength(200);
  expect(status.at(undefined)).toMatchObject({ loadedAt: new Date(0), checkedAt: new Date(0) });
  status.refreshed({ change: undefined, problems: outage('sealed') });
  const change = { keys: ['KEY'], secrets: [], at: new Date(1) };
  status.refreshed({ change, problems: outage('sealed').slice(0, 2) });
  expect(status.at(undefined)).toMatchObject({ loadedAt: new Date(1), checkedAt: new Date(0) });
  status.refreshed({ change: undefined, problems: [] });
  expect(status.at(undefined).problems).toEqual([]);
  expect(status.at(undefined).checkedAt).not.toEqual(new Date(0));
  const [first, second, ...others] = logger.warn.mock.calls.map(([text]) => String(text));
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
  expect(logger.log.mock.calls.flat()).toEqual(['Configuration changed: KEY', 'The configuration is current again.']);
});
