import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { RaftCluster } from '../support/raft-cluster.js';
import type { RaftNode } from '../support/raft-cluster.js';

// Each election may take a minute (`RaftCluster`).
jest.setTimeout(180_000);

let cluster: RaftCluster;
beforeAll(async () => {
  cluster = await RaftCluster.start();
  await cluster.request('POST', 'secret/data/app', { data: { A: 1 } });
});
afterAll(() => cluster.stop());

/** What a client sees of the secret at a node, past the proxy. */
async function readAt(node: RaftNode): Promise<number> {
  const options = { token: cluster.rootToken, throwOnError: false };
  return (await node.server.request('GET', 'secret/data/app', undefined, options)).status;
}

it('has one leader, two standbys, and one address for each, through a proxy', async () => {
  const leader = await cluster.waitForLeader();
  const standbys = await cluster.standbys();
  expect(standbys).toHaveLength(2);
  expect(standbys).not.toContain(leader);
  expect(new Set(cluster.endpoints).size).toBe(3);
  const { body } = await leader.server.request('GET', 'sys/leader', undefined, { token: '' });
  // Clients that follow the server's own words stay behind the proxies.
  expect(body).toMatchObject({ leader_address: leader.endpoint, leader_cluster_address: leader.peerProxy.endpoint });
});

it('elects another leader when the leader is killed, and takes the killed node back', async () => {
  const killed = await cluster.waitForLeader();
  await cluster.kill(killed);
  const successor = await cluster.waitForLeader();
  expect(successor).not.toBe(killed);
  await cluster.restart(killed);
  expect(await killed.state()).toBe('standby');
  expect(await readAt(successor)).toBe(200);
});

it('elects another leader when the leader is sealed; a sealed standby is no leader', async () => {
  const sealed = await cluster.waitForLeader();
  await cluster.seal(sealed);
  const successor = await cluster.waitForLeader();
  expect(successor).not.toBe(sealed);
  await cluster.unseal(sealed);

  const [standby] = await cluster.standbys();
  await cluster.seal(standby as RaftNode);
  expect(await standby?.state()).toBe('sealed');
  expect(await cluster.leader()).toBe(successor);
  await cluster.unseal(standby as RaftNode);
});

it('lets a leader that cannot reach the others lose its office, and follow when it can', async () => {
  const cutOff = await cluster.waitForLeader();
  cluster.partition(cutOff);
  const successor = await cluster.waitForLeader();
  expect(successor).not.toBe(cutOff);
  await cutOff.until(['standby'], 60_000);
  cluster.heal(cutOff);
  await cluster.request('POST', 'secret/data/app', { data: { A: 2 } });
  expect(await cluster.leader()).toBe(successor);
  expect(await readAt(successor)).toBe(200);
});
