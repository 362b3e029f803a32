import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { VaultConsistency } from '../../lib/client/consistency.js';
import { Kv2Engine } from '../../lib/engines/kv2.engine.js';
import { RaftCluster } from '../support/raft-cluster.js';
import { createClient } from '../support/vault-client.js';

const ROUNDS = 25;
const LATE_MS = 300;
const version = process.env['NESTJS_VAULT_SERVER_VERSION'];

/** Against a standby of a real cluster, which takes writes to the leader and answers reads itself. */
describe('reading from a standby what was just written', () => {
  let cluster: RaftCluster;

  beforeAll(async () => {
    // The first series that says which state of the storage an answer is from.
    process.env['NESTJS_VAULT_SERVER_VERSION'] = '2.7.2';
    cluster = await RaftCluster.start({ patience: 5 });
  }, 90_000);

  afterAll(async () => {
    if (version === undefined) delete process.env['NESTJS_VAULT_SERVER_VERSION'];
    else process.env['NESTJS_VAULT_SERVER_VERSION'] = version;
    await cluster.stop();
  });

  it.each<VaultConsistency>(['read-your-writes', 'forward'])('%s: always the newest', async (consistency) => {
    const [standby] = await cluster.standbys();
    const tls = { ca: cluster.ca };
    const client = await createClient(standby?.endpoint ?? '', cluster.rootToken, { tls, consistency });
    const secrets = new Kv2Engine(client);
    for (let round = 1; round <= ROUNDS; round += 1) {
      await secrets.write(consistency, { round });
      expect((await secrets.read(consistency)).data).toEqual({ round });
    }
    expect(client.endpoint).toBe(standby?.endpoint);
    await client.close();
  });

  it('off: an older one where the standby learns of a write late, which is what the others are for', async () => {
    const [standby] = await cluster.standbys();
    // The write goes to the leader past this, and counts with the other standby's consent.
    standby?.peerProxy.set({ kind: 'forward', upMs: LATE_MS });
    const client = await createClient(standby?.endpoint ?? '', cluster.rootToken, { tls: { ca: cluster.ca } });
    const secrets = new Kv2Engine(client);
    let stale = 0;
    for (let round = 1; round <= 20 && stale === 0; round += 1) {
      await secrets.write('off', { round });
      const seen = await secrets.read('off').catch(() => undefined);
      if (seen?.data['round'] !== round) stale += 1;
    }
    standby?.peerProxy.heal();
    expect(stale).toBe(1);
    await client.close();
  });
});
