import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { setImmediate as immediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { resetSocket } from '../support/reset-socket.js';

let server: Server;
let peer: Socket;
let socket: Socket;
beforeEach(async () => {
  server = createServer({ allowHalfOpen: true });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  peer = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  [socket] = (await once(server, 'connection')) as [Socket];
});
afterEach(() => {
  peer.destroy();
  server.close();
});

const handles = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

it('breaks a connection', async () => {
  const broken = once(peer.resume(), 'error');
  resetSocket(socket);
  expect(await broken).toMatchObject([{ code: 'ECONNRESET' }]);
});

it('leaves none open whose end is under way, on which Node would hang when the process ends', async () => {
  const before = handles();
  socket.end();
  // The end has been asked for, and the loop has not come to it.
  await Promise.resolve();
  resetSocket(socket);
  while (handles() > before - 1) await immediate();
});
