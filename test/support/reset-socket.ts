import type { Socket } from 'node:net';

/**
 * A TCP reset. On a socket whose end is under way Node would leave it open for ever, and loop when the process ends, so such
 * a one is only destroyed.
 */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
