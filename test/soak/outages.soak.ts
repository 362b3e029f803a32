import { expect, it } from '@jest/globals';
import { goThroughOutages } from '../support/outages.js';
import { figures } from './figures.js';

const MOST_SOCKETS = 16;
const MOST_GROWTH_MB = 10;

it('an application outlives a sealed, a restarted and a vanished server, and grows by none of them', async () => {
  const result = await goThroughOutages({ ttl: 10, sealed: 20, restarted: 20, blackHole: 60 });
  const { before, outages, exitCode, peakConnections } = result;
  const last = outages.at(-1)?.reports.at(-1);
  for (const { name, states, recoveredAfterMs, reports } of outages) {
    const sum = (kind: 'good' | 'bad'): number => reports.reduce((total, { calls }) => total + calls[kind], 0);
    figures(name, {
      states: states.join(' '),
      'recovered after': `${Math.round(recoveredAfterMs)} ms`,
      'calls that ended well': sum('good'),
      'with an error': sum('bad'),
      'sockets at most': Math.max(...reports.map(({ sockets }) => sockets)),
      heap: `${reports.at(-1)?.heapMb.toFixed(1)} MB`,
    });
    for (const { value, unhandled } of reports) expect({ value, unhandled }).toEqual({ value: 'p', unhandled: [] });
    expect(Math.max(...reports.map(({ sockets }) => sockets))).toBeLessThanOrEqual(MOST_SOCKETS);
    expect(states).toContain('lost');
  }
  figures('all outages', { 'connections at most': peakConnections, 'heap before': `${before.heapMb.toFixed(1)} MB` });
  expect((last?.heapMb ?? Infinity) - before.heapMb).toBeLessThan(MOST_GROWTH_MB);
  expect(last?.timers).toBeLessThanOrEqual(before.timers + 2);
  expect(peakConnections).toBeLessThanOrEqual(MOST_SOCKETS);
  expect(exitCode).toBe(0);
});
