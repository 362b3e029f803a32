import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';

/**
 * Asks the operating system for ports on 127.0.0.1 that nobody listens on. All are held until the last is known, so they differ.
 * Another process may take one before it is used: the caller retries.
 *
 * @internal
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listenAnywhere(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}
