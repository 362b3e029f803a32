import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';

/**
 * Asks the operating system for two ports on 127.0.0.1 that nobody listens on. Another process may take one before it is used:
 * the caller retries.
 * @internal
 */
export async function freePorts(): Promise<[number, number]> {
  // Held at the same time, so that they differ.
  const [one, other] = await Promise.all([listenAnywhere(), listenAnywhere()]);
  return Promise.all([release(one), release(other)]);
}

function release(server: Server): Promise<number> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve) => server.close(() => resolve(port)));
}

function listenAnywhere(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}
