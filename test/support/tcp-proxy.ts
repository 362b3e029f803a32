import * as http from 'node:http';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import { Lane } from './proxy-lane.js';
import { resetSocket } from './reset-socket.js';
import type { LaneRule } from './proxy-lane.js';

/** What a {@link TcpProxy} does to its connections. "Up" is towards the server. */
export type ProxyFault =
  /** Forwards. Bytes take that long in each direction, and the first ones a round trip more, as after a real handshake. */
  | { readonly kind: 'forward'; readonly upMs?: number; readonly downMs?: number }
  /** Accepts and delivers nothing, not even the end of a connection. After another fault, what was held goes on its way. */
  | { readonly kind: 'black-hole'; readonly direction?: 'up' | 'down' | 'both' }
  /** Resets every connection: those that are open, and new ones at once. */
  | { readonly kind: 'reset' }
  /** Delivers so many bytes of the answers at a time. */
  | { readonly kind: 'drip'; readonly bytes: number; readonly everyMs: number }
  /** Resets each connection when so many bytes of answers went through it. */
  | { readonly kind: 'reset-after'; readonly bytes: number }
  /** Answers every HTTP request itself; for targets without TLS. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    };

/** One fault for all connections, or one for each, by the port its client comes from. */
export type ProxyFaults = ProxyFault | ((clientPort: number) => ProxyFault);

const FORWARD: ProxyFault = { kind: 'forward' };

/** A network with this time from a request to its answer. */
export function roundTrip(ms: number): ProxyFault {
  return { kind: 'forward', upMs: ms / 2, downMs: ms / 2 };
}

interface Connection {
  readonly client: net.Socket;
  readonly target: net.Socket;
  readonly up: Lane;
  readonly down: Lane;
}

/** The network between a client and a server, with faults at will. Bytes are opaque to it, so TLS goes through. */
export class TcpProxy {
  readonly port: number;
  /** Where clients connect to: the target's scheme, and this proxy's port on 127.0.0.1. */
  readonly endpoint: string;
  /** TCP connections accepted so far. */
  totalConnections = 0;
  /** The most that were open at once. */
  peakConnections = 0;
  /** Bytes delivered to the target. */
  bytesUp = 0;
  /** Bytes delivered to clients. */
  bytesDown = 0;

  readonly #target: URL;
  readonly #server: net.Server;
  readonly #answering = new http.Server({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
  readonly #connections = new Set<Connection>();
  /** Client sockets whose other side is still there. */
  readonly #clients = new Set<net.Socket>();
  readonly #answered = new Set<net.Socket>();
  readonly #waiting = new Set<() => void>();
  #faults: ProxyFaults = FORWARD;
  #closing: Promise<void> | undefined;

  private constructor(target: URL, server: net.Server) {
    this.#target = target;
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.endpoint = `${target.protocol}//127.0.0.1:${this.port}`;
    server.on('connection', (socket) => this.#accept(socket));
    this.#answering.on('request', (request, response) => {
      request.resume().on('end', () => this.#answer(request.socket, response));
    });
  }

  /** @param target endpoint of the server, with a port; it need not be there yet */
  static async start(target: string, faults: ProxyFaults = FORWARD): Promise<TcpProxy> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    const proxy = new TcpProxy(new URL(target), server);
    proxy.set(faults);
    return proxy;
  }

  /** Connections whose client has not left. */
  get connections(): number {
    return this.#clients.size;
  }

  /** Bytes that were received and are still on their way, or held by a black hole. */
  get held(): number {
    let bytes = 0;
    for (const { up, down } of this.#connections) bytes += up.held + down.held;
    return bytes;
  }

  /** Changes what happens from now on: to new connections, and to open ones unless `only` says otherwise. */
  set(faults: ProxyFaults, only: 'all' | 'new' = 'all'): void {
    if (this.#target.protocol === 'https:' && typeof faults !== 'function' && faults.kind === 'answer') {
      throw new Error('A proxy cannot answer in the place of a server with TLS.');
    }
    this.#faults = faults;
    if (only === 'new') return;
    for (const socket of this.#answered) if (this.#faultOf(socket).kind !== 'answer') socket.destroy();
    for (const connection of this.#connections) this.#apply(connection);
  }

  /** Forwards without any fault. */
  heal(): void {
    this.set(FORWARD);
  }

  /** Resets the open connections, once. */
  cut(): void {
    for (const socket of this.#answered) resetSocket(socket);
    for (const connection of this.#connections) this.#reset(connection);
  }

  /** Resolves as soon as the condition holds; it is looked at whenever bytes, or connections, come or go. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        try {
          if (!condition()) return;
          resolve();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Resets every connection and frees the port. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.cut();
    });
    return this.#closing;
  }

  #accept(client: net.Socket): void {
    this.totalConnections += 1;
    this.#clients.add(client);
    this.peakConnections = Math.max(this.peakConnections, this.#clients.size);
    const gone = (): void => {
      this.#clients.delete(client);
      this.#changed();
    };
    // A proxy lives among broken connections: an error of one is passed on to its other side, and nobody else's business.
    client.on('end', gone).on('close', gone).on('error', gone);
    const { kind } = this.#faultOf(client);
    if (kind === 'reset') resetSocket(client);
    else if (kind === 'answer') this.#takeOver(client);
    else this.#connect(client);
    this.#changed();
  }

  #connect(client: net.Socket): void {
    const target = new net.Socket({ allowHalfOpen: true });
    // Also for what comes after its lane was released.
    target.on('error', () => undefined);
    const up = new Lane(client, target, (bytes) => {
      this.bytesUp += bytes;
      this.#changed();
    });
    const down = new Lane(target, client, (bytes) => {
      this.bytesDown += bytes;
      this.#changed();
    });
    const connection = { client, target, up, down };
    this.#connections.add(connection);
    let open = 2;
    for (const socket of [client, target]) {
      socket.on('close', () => {
        open -= 1;
        if (open === 0) this.#forget(connection);
      });
    }
    this.#apply(connection);
  }

  #dial(target: net.Socket): void {
    const { hostname, port } = this.#target;
    target.connect({ host: hostname, port: Number(port), noDelay: true });
  }

  #faultOf({ remotePort = 0 }: net.Socket): ProxyFault {
    return typeof this.#faults === 'function' ? this.#faults(remotePort) : this.#faults;
  }

  #apply(connection: Connection): void {
    const fault = this.#faultOf(connection.client);
    if (fault.kind === 'reset') return this.#reset(connection);
    if (fault.kind === 'answer') {
      this.#forget(connection);
      connection.target.destroy();
      if (!connection.client.destroyed) this.#takeOver(connection.client);
      return;
    }
    const [up, down] = this.#rules(connection, fault);
    // Not in a black hole: the target would see a connection that says nothing, and some servers wait for its first byte.
    if (up.held !== true && connection.target.pending && !connection.target.connecting) this.#dial(connection.target);
    connection.up.follow(up);
    connection.down.follow(down);
  }

  #rules(
    connection: Connection,
    fault: Exclude<ProxyFault, { kind: 'reset' | 'answer' }>,
  ): [up: LaneRule, down: LaneRule] {
    switch (fault.kind) {
      case 'forward': {
        const { upMs = 0, downMs = 0 } = fault;
        return [{ delayMs: upMs, firstMs: upMs + downMs }, { delayMs: downMs }];
      }
      case 'black-hole':
        return [{ held: fault.direction !== 'down' }, { held: fault.direction !== 'up' }];
      case 'drip':
        return [{}, { drip: fault }];
      case 'reset-after':
        return [{}, { limit: { bytes: fault.bytes, reset: () => this.#reset(connection) } }];
    }
  }

  #reset(connection: Connection): void {
    this.#forget(connection);
    for (const socket of [connection.client, connection.target]) resetSocket(socket);
  }

  #forget(connection: Connection): void {
    connection.up.release();
    connection.down.release();
    this.#connections.delete(connection);
  }

  #takeOver(client: net.Socket): void {
    this.#answered.add(client);
    client.on('close', () => this.#answered.delete(client));
    this.#answering.emit('connection', client);
  }

  #answer(client: net.Socket, response: http.ServerResponse): void {
    const fault = this.#faultOf(client);
    // Another one may have been set while the request came in.
    if (fault.kind !== 'answer') return void response.destroy();
    const { status, headers = {}, body = '' } = fault;
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  }

  #changed(): void {
    this.#waiting.forEach((look) => look());
  }
}
