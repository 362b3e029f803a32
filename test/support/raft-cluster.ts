import { setTimeout as delay } from 'node:timers/promises';
import { createCertificates, VaultTestServerError } from '../../lib/testing/index.js';
import type { ServerCertificates, VaultServerResponse } from '../../lib/testing/index.js';
import { RaftNode } from './raft-node.js';

export { RaftNode } from './raft-node.js';

const POLL_MS = 25;
const PATIENCE_MS = 60_000;
const START_ATTEMPTS = 3;

/**
 * Three real servers over TLS that share one Raft storage, each behind proxies that tests may break. They end with this
 * process, as every test server does.
 */
export class RaftCluster {
  readonly #isolated = new Set<RaftNode>();

  private constructor(
    readonly nodes: readonly RaftNode[],
    /** PEM of the authority that signed the servers' certificate. */
    readonly ca: string,
    readonly rootToken: string,
    private readonly unsealKeys: readonly string[],
  ) {}

  /**
   * Starts the servers and waits until all of them vote. KV version 2 is mounted at `secret/`.
   *
   * @param patience how many seconds a leader may be silent before the others elect another one. With the default of 1,
   * elections are quick, and a machine that is busy for so long causes some that no test has asked for.
   */
  static async start({ patience = 1 }: { readonly patience?: number } = {}): Promise<RaftCluster> {
    const tls = await createCertificates();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await RaftCluster.#tryToStart(tls, patience);
      } catch (error) {
        // The ports were free when they were chosen, and the first node led when the others were to join it.
        if (attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  static async #tryToStart(tls: ServerCertificates & { ca: string }, patience: number): Promise<RaftCluster> {
    const starts = await Promise.allSettled(
      ['node-0', 'node-1', 'node-2'].map((name, index) =>
        RaftNode.start(name, tls, { initialize: index === 0, patience }),
      ),
    );
    const nodes = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    try {
      const failure = starts.find((start) => start.status === 'rejected');
      if (failure) throw failure.reason;
      const [first, ...others] = nodes as [RaftNode, ...RaftNode[]];
      const { rootToken, unsealKeys } = first.server;
      const cluster = new RaftCluster(nodes, tls.ca, rootToken, unsealKeys);
      await cluster.#join(first, others);
      return cluster;
    } catch (error) {
      await Promise.all(nodes.map((node) => node.stop()));
      throw error;
    }
  }

  /** Of all nodes, through their proxies. */
  get endpoints(): string[] {
    return this.nodes.map(({ endpoint }) => endpoint);
  }

  /** The active node that can reach the others, if there is one now. */
  async leader(): Promise<RaftNode | undefined> {
    const states = await Promise.all(this.nodes.map((node) => node.state()));
    return this.nodes.find((node, index) => states[index] === 'active' && !this.#isolated.has(node));
  }

  /** The nodes that wait to become the active one. */
  async standbys(): Promise<RaftNode[]> {
    const states = await Promise.all(this.nodes.map((node) => node.state()));
    return this.nodes.filter((_, index) => states[index] === 'standby');
  }

  async waitForLeader(timeoutMs = PATIENCE_MS): Promise<RaftNode> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const leader = await this.leader();
      if (leader) return leader;
      if (performance.now() > deadline) throw new Error(`The cluster has no leader after ${timeoutMs} ms.`);
      await delay(POLL_MS);
    }
  }

  /** Makes an API call at the leader with the root token; again when that is none any more. */
  async request(method: string, path: string, body?: unknown): Promise<VaultServerResponse> {
    for (const deadline = performance.now() + PATIENCE_MS; ; await delay(POLL_MS)) {
      const leader = await this.waitForLeader();
      try {
        return await leader.server.request(method, path, body, { token: this.rootToken });
      } catch (error) {
        const { statusCode = 503 } = error as VaultTestServerError;
        if (statusCode < 500 || performance.now() > deadline) throw error;
      }
    }
  }

  /**
   * Seals a node. Only the active one can be asked to; another is restarted and left sealed, which is the same to clients. So
   * is one that does not respond: OpenBao 2.6 sometimes hangs while it seals a leader under load.
   */
  async seal(node: RaftNode): Promise<void> {
    const isSealed = (await node.state()) === 'active' && (await this.#sealed(node));
    if (!isSealed) await node.server.restart();
    await node.until(['sealed'], PATIENCE_MS);
  }

  async #sealed(node: RaftNode): Promise<boolean> {
    try {
      await node.server.request('PUT', 'sys/seal', undefined, { token: this.rootToken });
      return true;
    } catch (error) {
      if ((error as VaultTestServerError).statusCode !== undefined) throw error;
      return false;
    }
  }

  /** Unseals a node and waits until it has found its place. */
  async unseal(node: RaftNode): Promise<void> {
    for (const key of this.unsealKeys) {
      await node.server.request('PUT', 'sys/unseal', { key }, { token: '' });
    }
    await node.until(['active', 'standby'], PATIENCE_MS);
  }

  /** Ends a node without warning. */
  async kill(node: RaftNode): Promise<void> {
    process.kill(node.server.pid, 'SIGKILL');
    await node.until(['down'], PATIENCE_MS);
  }

  /** Starts a node again, whether it still runs or not, and unseals it. */
  async restart(node: RaftNode): Promise<void> {
    await node.server.restart();
    await this.unseal(node);
  }

  /** Stops a node as a paused machine would be: connections stay, and nothing is answered, not even to `state()`. */
  freeze(node: RaftNode): void {
    process.kill(node.server.pid, 'SIGSTOP');
  }

  /** Lets a frozen node go on, and waits until it follows whoever leads by now. */
  async thaw(node: RaftNode): Promise<void> {
    process.kill(node.server.pid, 'SIGCONT');
    await node.until(['standby'], PATIENCE_MS);
  }

  /**
   * Cuts a node off from its peers, and from clients unless told otherwise: nothing gets through, and nobody is told. Works
   * on Linux only, where the kernel says which node has made a connection. Let a node that was just restarted settle first:
   * OpenBao shakes hands with one peer after the other, so a connection that falls silent then keeps the others waiting for
   * half a minute.
   */
  partition(node: RaftNode, options: { readonly keepClients?: boolean } = {}): void {
    this.#isolated.add(node);
    if (options.keepClients !== true) node.proxy.set({ kind: 'black-hole' });
    this.#divide();
  }

  /** Ends the partition of a node. */
  heal(node: RaftNode): void {
    this.#isolated.delete(node);
    node.proxy.heal();
    this.#divide();
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  #divide(): void {
    for (const node of this.nodes) {
      node.peerProxy.set((port) => ({ kind: this.#isDivided(node, port) ? 'black-hole' : 'forward' }));
    }
  }

  #isDivided(node: RaftNode, callerPort: number): boolean {
    return this.#isolated.has(node) || [...this.#isolated].some((isolated) => isolated.dialled(callerPort));
  }

  async #join(first: RaftNode, others: readonly RaftNode[]): Promise<void> {
    // A new node votes as soon as it has caught up; the default is ten seconds later.
    await this.request('POST', 'sys/storage/raft/autopilot/configuration', { server_stabilization_time: '100ms' });
    const join = { leader_api_addr: first.server.endpoint, leader_ca_cert: this.ca };
    for (const node of others) {
      await node.server.request('POST', 'sys/storage/raft/join', join, { token: '' });
      await this.unseal(node);
    }
    const deadline = performance.now() + PATIENCE_MS;
    while ((await this.#voters()) < this.nodes.length) {
      if (performance.now() > deadline) {
        throw new VaultTestServerError(
          'start',
          `Not all nodes vote after ${PATIENCE_MS} ms.\n${first.server.output()}`,
        );
      }
      await delay(POLL_MS);
    }
  }

  async #voters(): Promise<number> {
    const { body } = await this.request('GET', 'sys/storage/raft/configuration');
    const { config } = (body as { data: { config: { servers: { voter: boolean }[] } } }).data;
    return config.servers.filter(({ voter }) => voter).length;
  }
}
