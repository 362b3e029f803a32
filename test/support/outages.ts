import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { startVaultServer } from '../../lib/testing/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import type { OutageReport } from './outage-app.js';
import { TcpProxy } from './tcp-proxy.js';

const POLL_MS = 250;
const PATIENCE_MS = 60_000;
const IN_TROUBLE = ['recovering', 'lost'];

/** What an application went through during one outage. */
export interface OutageOutcome {
  readonly name: string;
  /** States of the session while it lasted. */
  readonly states: readonly string[];
  /** Until the session was active and calls ended well again. */
  readonly recoveredAfterMs: number;
  /** All reports, the last one after recovery. */
  readonly reports: readonly OutageReport[];
}

/** An application in a process of its own. */
class OutageApp {
  readonly #lines: AsyncIterator<string, undefined>;

  private constructor(private readonly child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  static start(options: object): OutageApp {
    const support = join(process.cwd(), 'test/support');
    const loader = pathToFileURL(join(support, 'typescript-loader.mjs')).href;
    const args = ['--expose-gc', '--import', loader, join(support, 'outage-app.ts'), JSON.stringify(options)];
    const env = { ...process.env, NODE_OPTIONS: '' };
    return new OutageApp(spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], env }));
  }

  async report(): Promise<OutageReport> {
    this.child.stdin.write('\n');
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('The application has ended.');
    return JSON.parse(line.value) as OutageReport;
  }

  /** Asks until the session is active and calls end well, and none of them badly. */
  async healthy(): Promise<OutageReport[]> {
    const reports: OutageReport[] = [];
    for (const deadline = performance.now() + PATIENCE_MS; ; await delay(POLL_MS)) {
      const report = await this.report();
      reports.push(report);
      const { state, calls } = report;
      if (state === 'active' && calls.good > 0 && calls.bad === 0) return reports;
      if (performance.now() > deadline) throw new Error(`The application did not recover: ${JSON.stringify(report)}`);
    }
  }

  /** @returns its exit code */
  async stop(): Promise<number | null> {
    this.child.stdin.end();
    if (this.child.exitCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/**
 * Boots an application whose tokens live `ttlSeconds`, and puts its server through one outage after the other: sealed,
 * restarted, swallowed by the network. Nobody helps the application.
 */
export async function goThroughOutages(seconds: {
  readonly ttl: number;
  readonly sealed: number;
  readonly restarted: number;
  readonly blackHole: number;
}): Promise<{ before: OutageReport; outages: OutageOutcome[]; exitCode: number | null; peakConnections: number }> {
  const server = await startVaultServer({ storage: 'raft' });
  const proxy = await TcpProxy.start(server.endpoint);
  let app: OutageApp | undefined;
  try {
    await prepare(server, seconds.ttl);
    app = OutageApp.start({
      endpoint: proxy.endpoint,
      auth: { method: 'userpass', username: 'app', password: 'pw-of-app' },
      request: { timeoutMs: 2000 },
      config: { sources: ['app'], refresh: { intervalMs: 500 } },
    });
    const before = (await app.healthy()).at(-1) as OutageReport;
    const outages = [
      await outage(app, 'sealed', seconds.sealed, IN_TROUBLE, {
        begin: () => server.seal(),
        end: () => server.unseal(),
      }),
      await outage(app, 'restarted', seconds.restarted, IN_TROUBLE, {
        begin: () => server.restart(),
        end: () => server.unseal(),
      }),
      await outage(app, 'black hole', seconds.blackHole, ['lost'], {
        begin: () => Promise.resolve(proxy.set({ kind: 'black-hole' })),
        end: () => Promise.resolve(proxy.heal()),
      }),
    ];
    const { peakConnections } = proxy;
    return { before, outages, exitCode: await app.stop(), peakConnections };
  } finally {
    app?.kill();
    await proxy.close();
    await server.stop();
  }
}

/** @param until the outage lasts until the session has been in one of these states, and so many seconds at least */
async function outage(
  app: OutageApp,
  name: string,
  seconds: number,
  until: readonly string[],
  { begin, end }: { begin: () => Promise<unknown>; end: () => Promise<unknown> },
): Promise<OutageOutcome> {
  await begin();
  const reports: OutageReport[] = [];
  const start = performance.now();
  const goesOn = (passedMs: number): boolean =>
    passedMs < seconds * 1000 || (passedMs < PATIENCE_MS && !reports.some(({ state }) => until.includes(state)));
  for (; goesOn(performance.now() - start); await delay(POLL_MS)) reports.push(await app.report());
  await end();
  const endedAt = performance.now();
  const states = [...new Set(reports.map(({ state }) => state))];
  reports.push(...(await app.healthy()));
  return { name, states, recoveredAfterMs: performance.now() - endedAt, reports };
}

async function prepare(server: VaultServer, ttlSeconds: number): Promise<void> {
  await server.seed({ 'secret/app': { PASSWORD: 'p' } });
  await server.request('PUT', 'sys/policies/acl/app', {
    policy:
      'path "secret/data/app" { capabilities = ["read"] }\npath "secret/metadata/app" { capabilities = ["read"] }',
  });
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('POST', 'auth/userpass/users/app', {
    password: 'pw-of-app',
    token_policies: ['app'],
    token_ttl: `${ttlSeconds}s`,
  });
}
