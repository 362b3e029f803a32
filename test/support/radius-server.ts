import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import radius from 'radius';

/** A RADIUS server with these users. */
export interface RadiusServer {
  readonly port: number;
  readonly secret: string;
  close(): Promise<void>;
}

/** Answers Access-Requests on a free loopback port; whoever is not in `users`, or with another password, is rejected. */
export async function startRadiusServer(users: Readonly<Record<string, string>>): Promise<RadiusServer> {
  const secret = randomBytes(12).toString('hex');
  const socket = createSocket('udp4');
  socket.on('message', (message, { port, address }) => {
    const packet = radius.decode({ packet: message, secret });
    const { 'User-Name': name, 'User-Password': password } = packet.attributes as Record<string, string | undefined>;
    const accepted = name !== undefined && Object.hasOwn(users, name) && users[name] === password;
    const code = accepted ? 'Access-Accept' : 'Access-Reject';
    socket.send(radius.encode_response({ packet, code, secret }), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    port: socket.address().port,
    secret,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}
