import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../lib/server/run-program.js';
import { startVaultServer } from '../../lib/testing/index.js';
import type { ServerCertificates, VaultServer } from '../../lib/testing/index.js';
import { TcpProxy } from './tcp-proxy.js';

const POLL_MS = 25;

/** What a node says of itself: `down` when it does not answer. */
export type RaftNodeState = 'active' | 'standby' | 'sealed' | 'down';

/** One server of a {@link RaftCluster}, with a proxy between it and its clients and another between it and its peers. */
export class RaftNode {
  private constructor(
    readonly name: string,
    readonly server: VaultServer,
    /** Between clients and the node. */
    readonly proxy: TcpProxy,
    /** Between the other nodes and the node. */
    readonly peerProxy: TcpProxy,
  ) {}

  static async start(
    name: string,
    tls: ServerCertificates,
    { initialize, patience }: { readonly initialize: boolean; readonly patience: number },
  ): Promise<RaftNode> {
    const [port, clusterPort] = await freePorts();
    const [proxy, peerProxy] = await Promise.all([
      TcpProxy.start(`https://127.0.0.1:${port}`),
      TcpProxy.start(`https://127.0.0.1:${clusterPort}`),
    ]);
    try {
      const server = await startVaultServer({
        storage: 'raft',
        tls,
        port,
        initialize,
        config: {
          // Files are relative to the server's directory, where the generated configuration has put them.
          listener: [
            {
              tcp: {
                address: `127.0.0.1:${port}`,
                cluster_address: `127.0.0.1:${clusterPort}`,
                tls_cert_file: 'server.pem',
                tls_key_file: 'server-key.pem',
              },
            },
          ],
          storage: {
            raft: {
              path: 'data',
              node_id: name,
              performance_multiplier: String(patience),
              // How often it looks whether a new node may vote.
              autopilot_reconcile_interval: '200ms',
              autopilot_update_interval: '200ms',
            },
          },
          // Clients and peers are told the way through the proxies.
          api_addr: proxy.endpoint,
          cluster_addr: peerProxy.endpoint,
        },
      });
      return new RaftNode(name, server, proxy, peerProxy);
    } catch (error) {
      await Promise.all([proxy.close(), peerProxy.close()]);
      throw error;
    }
  }

  /** For clients: through the proxy. */
  get endpoint(): string {
    return this.proxy.endpoint;
  }

  async state(): Promise<RaftNodeState> {
    const options = { token: '', throwOnError: false };
    const answer = await this.server.request('GET', 'sys/health', undefined, options).catch(() => undefined);
    if (answer === undefined) return 'down';
    if (answer.status === 200) return 'active';
    return answer.status === 429 ? 'standby' : 'sealed';
  }

  /** Asks until the node says one of these. */
  async until(states: readonly RaftNodeState[], timeoutMs: number): Promise<RaftNodeState> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const state = await this.state();
      if (states.includes(state)) return state;
      if (performance.now() > deadline) {
        throw new Error(`${this.name} is ${state} and did not become ${states.join(' or ')} within ${timeoutMs} ms.`);
      }
      await delay(POLL_MS);
    }
  }

  /** Whether the connection that comes from this port was made by this node. */
  dialled(localPort: number): boolean {
    const inode = inodeOf(localPort);
    if (inode === undefined) return false;
    const directory = `/proc/${this.server.pid}/fd`;
    try {
      return readdirSync(directory).some((fd) => linkOf(`${directory}/${fd}`) === `socket:[${inode}]`);
    } catch {
      // It has just been killed.
      return false;
    }
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await Promise.all([this.proxy.close(), this.peerProxy.close()]);
  }
}

/** The kernel's table of connections: number, local address, remote address, state, …, inode; ports in hexadecimal. */
function inodeOf(localPort: number): string | undefined {
  const port = `:${localPort.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1]?.endsWith(port) && fields[9] !== '0') return fields[9];
  }
  return undefined;
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
