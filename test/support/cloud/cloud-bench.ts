import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { AuthBench } from '../auth-bench.js';
import type { FaultHandler, FaultServer } from '../fault-server.js';
import { startFaultServer } from '../fault-server.js';
import { cloudEnvironment } from './environment.js';

/** What a spec of cloud logins works with. */
export interface CloudBench {
  /** With a namespace `org` on its server. */
  readonly bench: AuthBench;
  /** For files; removed at the end. */
  readonly folder: string;
  /** Starts a stand-in for a service of the cloud, for one test. */
  readonly standIn: (handler: FaultHandler) => Promise<FaultServer>;
  /** Sets the environment of one test: nothing of a cloud but this. */
  readonly use: (environment: Record<string, string>) => void;
}

/** Prepares a spec file of cloud logins, and cleans up after each of its tests and at its end. */
export function useCloudBench(): CloudBench {
  const before = { ...process.env };
  const opened: FaultServer[] = [];
  let bench: AuthBench;
  let folder: string;
  const use = (environment: Record<string, string>): void => {
    process.env = cloudEnvironment(before, environment);
  };

  beforeAll(async () => {
    bench = await AuthBench.start();
    await bench.server.request('POST', 'sys/namespaces/org', {});
    folder = await mkdtemp(join(tmpdir(), 'auth-cloud-'));
  });
  beforeEach(() => use({}));
  afterEach(async () => {
    process.env = { ...before };
    await bench.reset();
    for (const server of opened.splice(0)) await server.close();
  });
  afterAll(async () => {
    await bench.stop();
    await rm(folder, { recursive: true, force: true });
  });

  return {
    get bench() {
      return bench;
    },
    get folder() {
      return folder;
    },
    standIn: async (handler) => {
      const server = await startFaultServer(handler);
      opened.push(server);
      return server;
    },
    use,
  };
}
