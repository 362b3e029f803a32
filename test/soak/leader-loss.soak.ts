import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { READ_DEADLINE_MS, loseLeaders, prepareCluster } from '../support/leader-loss.js';
import { RaftCluster } from '../support/raft-cluster.js';
import { figures, spread } from './figures.js';

// On all connections of all nodes together.
const MOST_CONNECTIONS = 3 * 8;
jest.setTimeout(600_000);

let cluster: RaftCluster;
beforeAll(async () => {
  cluster = await RaftCluster.start({ patience: 2 });
  await prepareCluster(cluster);
}, 120_000);
afterAll(() => cluster.stop());

it.each([
  [3, 'frozen'],
  [3, 'sealed'],
  [20, 'killed'],
] as const)('%d %s leaders fail no read of 200 a second', async (times, how) => {
  const outcome = await loseLeaders(cluster, times, how);
  const { reads, failures, longestMs, readsAfterMs, writesAfterMs, connections } = outcome;
  figures(`${times} leaders ${how}`, {
    reads,
    failed: failures.length,
    'longest read': `${Math.round(longestMs)} ms`,
    'reads again after': spread(readsAfterMs),
    'writes again after': spread(writesAfterMs),
    connections,
  });
  expect(failures.slice(0, 3)).toEqual([]);
  expect(longestMs).toBeLessThan(READ_DEADLINE_MS);
  expect(readsAfterMs).toHaveLength(times);
  expect(connections).toBeLessThanOrEqual(MOST_CONNECTIONS);
});
