import type { INestApplicationContext } from '@nestjs/common';
import { VaultModule, VaultService } from '../../lib/index.js';
import { bootApplication } from './boot-application.js';
import type { RaftCluster } from './raft-cluster.js';
import { SteadyReads } from './steady-reads.js';

const READS_PER_SECOND = 200;

/** Deadline of a read, in milliseconds. */
export const READ_DEADLINE_MS = 15_000;

/** What an application saw while leaders were killed. */
export interface LeaderLossOutcome {
  readonly reads: number;
  readonly failures: readonly { readonly error: unknown; readonly tookMs: number }[];
  readonly longestMs: number;
  /** For each kill: until a read begun after it had ended well. */
  readonly readsAfterMs: readonly number[];
  /** For each kill: until a write of the application begun after it had ended well, which takes a new leader. */
  readonly writesAfterMs: readonly number[];
  /** Connections the nodes' proxies held open at most, all together, at the end of a round. */
  readonly connections: number;
}

/** Boots an application on all nodes of a cluster. */
export async function bootOnCluster(cluster: RaftCluster): Promise<INestApplicationContext> {
  await cluster.request('POST', 'secret/data/app', { data: { PASSWORD: 'p' } });
  await cluster.request('PUT', 'sys/policies/acl/app', {
    policy: 'path "secret/data/*" { capabilities = ["create", "read", "update"] }',
  });
  await cluster.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await cluster.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_policies: ['app'] });
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

/** Kills the leader so many times under an application that reads all the time; each killed node comes back. */
export async function killLeaders(cluster: RaftCluster, times: number): Promise<LeaderLossOutcome> {
  const app = await bootOnCluster(cluster);
  const vault = app.get(VaultService);
  const reads = new SteadyReads(() => vault.kv().read('app'), READS_PER_SECOND);
  const readsAfterMs: number[] = [];
  const writesAfterMs: number[] = [];
  let connections = 0;
  try {
    await reads.recoveredAfter(performance.now());
    for (let kill = 1; kill <= times; kill += 1) {
      const leader = await cluster.waitForLeader();
      const killedAt = performance.now();
      process.kill(leader.server.pid, 'SIGKILL');
      const [readAfterMs] = await Promise.all([reads.recoveredAfter(killedAt), writeUntilItWorks(vault, kill)]);
      readsAfterMs.push(readAfterMs);
      writesAfterMs.push(performance.now() - killedAt);
      await cluster.restart(leader);
      connections = Math.max(
        connections,
        cluster.nodes.reduce((sum, { proxy }) => sum + proxy.connections, 0),
      );
    }
  } finally {
    await reads.stop();
    await app.close();
  }
  const { done, failures, longestMs } = reads;
  return { reads: done, failures, longestMs, readsAfterMs, writesAfterMs, connections };
}

/** Writes are not repeated where they may have been carried out, so the application does it, which may: nothing here counts. */
async function writeUntilItWorks(vault: VaultService, value: number): Promise<void> {
  for (const deadline = performance.now() + 60_000; ;) {
    try {
      await vault.kv().write('written', { value });
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}
