import { afterAll, afterEach, beforeAll, beforeEach, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from './boot-application.js';
import type { FaultServer } from './fault-server.js';
import { forwardTo, startFaultServer } from './fault-server.js';

/** What a spec of running applications works with. */
export interface AppBench {
  readonly server: VaultServer;
  /** Lets everything through to the server, until a test says otherwise. */
  readonly front: FaultServer;
  /** Boots an application that is closed after the test. */
  boot(...args: Parameters<typeof bootApplication>): Promise<INestApplicationContext>;
  /** Closes those applications, as it happens after the test. */
  closeApplications(): Promise<void>;
}

/** Prepares a spec file whose applications reach a real server through a front, and cleans up after each of its tests. */
export function useAppBench(): AppBench {
  const open: INestApplicationContext[] = [];
  let server: VaultServer;
  let front: FaultServer;
  const closeApplications = async (): Promise<void> => {
    await Promise.all(open.splice(0).map((app) => app.close()));
  };

  beforeAll(async () => {
    server = await startVaultServer();
    front = await startFaultServer(forwardTo(server.endpoint));
  });
  beforeEach(() => front.answerWith(forwardTo(server.endpoint)));
  afterEach(async () => {
    await closeApplications();
    jest.restoreAllMocks();
  });
  afterAll(async () => {
    await front.close();
    await server.stop();
  });

  return {
    get server() {
      return server;
    },
    get front() {
      return front;
    },
    boot: async (...args) => {
      const app = await bootApplication(...args);
      open.push(app);
      return app;
    },
    closeApplications,
  };
}
