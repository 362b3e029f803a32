import type * as Http2 from 'node:http2';
import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import { Http2Call } from './http2-call.js';

/** An idle connection is closed after this time, as undici closes those of its pool. */
const IDLE_MS = 60_000;
/**
 * A connection on which calls wait and nothing has been heard for so long is left to these calls: new ones get a new
 * connection. TCP alone would notice a server that has vanished only after a quarter of an hour.
 */
const SILENT_MS = 2_000;
/** Large secrets do not wait for a round trip per 64 KiB. */
const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 8 * 1024 * 1024;

/** A connection and what goes on over it. */
interface Line {
  readonly session: Http2.ClientHttp2Session;
  readonly socket: Socket;
  open: number;
  /** Since when a call waits without a sign of life from the server. */
  silentSince: number | undefined;
}

/** What came of trying to connect: a socket that speaks HTTP/2, or one that speaks HTTP/1.1 only. @internal */
export type Negotiate = (callback: (error: Error | null, socket: Socket | null) => void) => void;

/**
 * Carries all calls to one server over one HTTP/2 connection, and makes a new one when it has ended, was announced to end,
 * or has fallen silent. See docs/adr/0013.
 * @internal
 */
export class Http2Connection {
  readonly #http2: typeof Http2;
  readonly #origin: string;
  readonly #negotiate: Negotiate;
  readonly #onlyHttp1: (socket: Socket) => Dispatcher;
  readonly #lines = new Set<Line>();
  #current: Line | undefined;
  #waiting: Http2Call[] | undefined;

  /**
   * @param negotiate makes a TLS connection that offers HTTP/2
   * @param onlyHttp1 says who carries the calls when the server does not take the offer
   */
  constructor(http2: typeof Http2, origin: string, negotiate: Negotiate, onlyHttp1: (socket: Socket) => Dispatcher) {
    this.#http2 = http2;
    this.#origin = origin;
    this.#negotiate = negotiate;
    this.#onlyHttp1 = onlyHttp1;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#send(new Http2Call(options, handler));
  }

  /** New calls get a new connection; those under way finish on theirs. */
  rotate(): void {
    const line = this.#current;
    this.#current = undefined;
    if (line?.open === 0) end(line);
  }

  /** Ends every connection; calls under way fail with `error`. */
  async close(error: Error): Promise<void> {
    this.#current = undefined;
    for (const call of this.#waiting?.splice(0) ?? []) call.fail(error);
    const closed = [...this.#lines].map(({ socket }) => new Promise((resolve) => socket.once('close', resolve)));
    for (const line of this.#lines) end(line, error);
    await Promise.all(closed);
  }

  #send(call: Http2Call): void {
    if (this.#current && (isOver(this.#current) || isSilent(this.#current))) this.rotate();
    const line = this.#current;
    if (line) this.#sendOn(line, call);
    else if (this.#waiting) this.#waiting.push(call);
    else {
      this.#waiting = [call];
      this.#negotiate((error, socket) => this.#connected(error, socket));
    }
  }

  #connected(error: Error | null, socket: Socket | null): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    if (!socket) for (const call of waiting) call.fail(error ?? new Error('no connection'));
    else if ((socket as { alpnProtocol?: unknown }).alpnProtocol !== 'h2') {
      const instead = this.#onlyHttp1(socket);
      for (const call of waiting) call.passTo(instead);
    } else {
      this.#current = this.#open(socket);
      for (const call of waiting) this.#send(call);
    }
  }

  #open(socket: Socket): Line {
    const session = this.#http2.connect(this.#origin, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    });
    const line: Line = { session, socket, open: 0, silentSince: undefined };
    this.#lines.add(line);
    session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW));
    // The calls on it are told through their streams. Node leaves the socket of a session that failed by an alert open.
    session.on('error', () => socket.destroy());
    session.on('goaway', () => this.#leave(line));
    session.on('close', () => this.#leave(line));
    socket.on('close', () => {
      this.#leave(line);
      this.#lines.delete(line);
    });
    session.setTimeout(IDLE_MS, () => {
      if (line.open === 0) end(line);
    });
    session.unref();
    return line;
  }

  #sendOn(line: Line, call: Http2Call): void {
    if (line.open++ === 0) line.session.ref();
    line.silentSince ??= performance.now();
    call.send(line.session, {
      heard: () => (line.silentSince = undefined),
      refused: (refused) => this.#send(refused),
      over: (aborted) => {
        line.open -= 1;
        if (aborted && isSilent(line)) this.#leave(line);
        if (!aborted && line.open === 0) line.silentSince = undefined;
        if (line.open > 0 || line.session.destroyed) return;
        if (line === this.#current) line.session.unref();
        else end(line);
      },
    });
  }

  /** New calls go elsewhere. */
  #leave(line: Line): void {
    if (line === this.#current) this.rotate();
  }
}

function end({ session, socket }: Line, error?: Error): void {
  session.destroy(error);
  socket.destroy();
}

function isOver({ session }: Line): boolean {
  return session.closed || session.destroyed;
}

function isSilent({ silentSince }: Line): boolean {
  return silentSince !== undefined && performance.now() - silentSince >= SILENT_MS;
}
