import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { READ_DEADLINE_MS, killLeaders } from '../support/leader-loss.js';
import { RaftCluster } from '../support/raft-cluster.js';
import { figures, spread } from './figures.js';

const KILLS = 20;

let cluster: RaftCluster;
beforeAll(async () => {
  cluster = await RaftCluster.start();
}, 120_000);
afterAll(() => cluster.stop());

it('20 killed leaders fail no read of 200 a second', async () => {
  const outcome = await killLeaders(cluster, KILLS);
  figures(`${KILLS} leaders killed`, {
    reads: outcome.reads,
    failed: outcome.failures.length,
    'longest read': `${Math.round(outcome.longestMs)} ms`,
    'reads again after': spread(outcome.readsAfterMs),
    'writes again after': spread(outcome.writesAfterMs),
    connections: outcome.connections,
  });
  expect(outcome.failures.slice(0, 3)).toEqual([]);
  expect(outcome.longestMs).toBeLessThan(READ_DEADLINE_MS);
  expect(outcome.readsAfterMs).toHaveLength(KILLS);
  // One connection for each node, and what a change of nodes leaves open for a moment.
  expect(outcome.connections).toBeLessThanOrEqual(3 * 8);
});
