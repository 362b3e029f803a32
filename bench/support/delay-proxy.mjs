import { connect, createServer } from 'node:net';

/**
 * A proxy on loopback that holds every byte back for a while, in both directions, so that a round trip takes as long as
 * one over a network.
 *
 * @param target port on loopback
 * @param roundTripMs added to every round trip
 */
export async function startDelayProxy(target, roundTripMs) {
  const open = new Set();
  let connections = 0;
  const server = createServer({ noDelay: true }, (client) => {
    connections += 1;
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      open.add(from);
      from.on('data', (bytes) => setTimeout(() => to.writable && to.write(bytes), roundTripMs / 2));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        setTimeout(() => to.end(), roundTripMs / 2);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    port: server.address().port,
    /** Connections made since the last call. */
    takeConnections() {
      const made = connections;
      connections = 0;
      return made;
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
