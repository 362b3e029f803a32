import { setTimeout as delay } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { VaultModule, VaultService } from '../../lib/index.js';
import { bootApplication } from './boot-application.js';
import type { RaftCluster, RaftNode } from './raft-cluster.js';
import { SteadyReads } from './steady-reads.js';

const READS_PER_SECOND = 200;
// On a machine too busy for that many, reads would queue beyond their deadline.
const MOST_AT_ONCE = 500;

/** Deadline of a read, in milliseconds. */
export const READ_DEADLINE_MS = 30_000;

/** What becomes of a leader, and how it comes back. */
const LOSSES = {
  killed: {
    lose: (_, leader) => void process.kill(leader.server.pid, 'SIGKILL'),
    back: (cluster, leader) => cluster.restart(leader),
  },
  sealed: {
    lose: (cluster, leader) => cluster.seal(leader),
    back: (cluster, leader) => cluster.unseal(leader),
  },
  frozen: {
    lose: (cluster, leader) => cluster.freeze(leader),
    back: (cluster, leader) => cluster.thaw(leader),
  },
} satisfies Record<
  string,
  Record<'lose' | 'back', (cluster: RaftCluster, leader: RaftNode) => void | Promise<unknown>>
>;

/** What an application saw while leaders were lost. */
export interface LeaderLossOutcome {
  readonly reads: number;
  readonly failures: readonly { readonly error: unknown; readonly tookMs: number }[];
  readonly longestMs: number;
  /** For each loss: until a read begun after it had ended well. */
  readonly readsAfterMs: readonly number[];
  /** For each loss: until a write of the application begun after it had ended well, which takes a new leader. */
  readonly writesAfterMs: readonly number[];
  /** Connections the nodes' proxies held open at most, all together, at the end of a round. */
  readonly connections: number;
}

/** A cluster with what {@link loseLeaders} needs on it. */
export async function prepareCluster(cluster: RaftCluster): Promise<void> {
  await cluster.request('POST', 'secret/data/app', { data: { PASSWORD: 'p' } });
  await cluster.request('PUT', 'sys/policies/acl/app', {
    policy: 'path "secret/data/*" { capabilities = ["create", "read", "update"] }',
  });
  await cluster.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await cluster.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_policies: ['app'] });
}

/** Loses the leader so many times under an application that reads all the time; each one comes back. */
export async function loseLeaders(
  cluster: RaftCluster,
  times: number,
  how: keyof typeof LOSSES,
): Promise<LeaderLossOutcome> {
  const app = await boot(cluster);
  const vault = app.get(VaultService);
  const reads = new SteadyReads(() => vault.kv().read('app'), READS_PER_SECOND, MOST_AT_ONCE);
  const readsAfterMs: number[] = [];
  const writesAfterMs: number[] = [];
  let connections = 0;
  try {
    await reads.recoveredAfter(performance.now());
    for (let round = 1; round <= times; round += 1) {
      const leader = await cluster.waitForLeader();
      await LOSSES[how].lose(cluster, leader);
      const lostAt = performance.now();
      const [readAfterMs] = await Promise.all([reads.recoveredAfter(lostAt), writeUntilItWorks(vault, round)]);
      readsAfterMs.push(readAfterMs);
      writesAfterMs.push(performance.now() - lostAt);
      await LOSSES[how].back(cluster, leader);
      const open = cluster.nodes.reduce((sum, { proxy }) => sum + proxy.connections, 0);
      connections = Math.max(connections, open);
    }
  } finally {
    await reads.stop();
    await app.close();
  }
  const { done, failures, longestMs } = reads;
  return { reads: done, failures, longestMs, readsAfterMs, writesAfterMs, connections };
}

function boot(cluster: RaftCluster): Promise<INestApplicationContext> {
  return bootApplication(
    VaultModule.forRoot({
      endpoint: cluster.endpoints,
      tls: { ca: cluster.ca },
      auth: { method: 'userpass', username: 'app', password: 'pw-of-app' },
      request: { timeoutMs: READ_DEADLINE_MS },
      config: { sources: ['app'] },
    }),
  );
}

/** Writes are not repeated where they may have been carried out, so the application does it, which may: nothing here counts. */
async function writeUntilItWorks(vault: VaultService, value: number): Promise<void> {
  for (const deadline = performance.now() + 120_000; ;) {
    try {
      await vault.kv().write('written', { value });
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(20);
    }
  }
}
