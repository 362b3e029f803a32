import { validateHeaderValue } from 'node:http';
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
  OutgoingHttpHeaders,
} from 'node:http2';
import type { Dispatcher } from 'undici';

/** RFC 9113, section 7. */
const NO_ERROR = 0;
const REFUSED_STREAM = 7;
const CANCEL = 8;

/** What a call tells the connection it is sent over. @internal */
export interface Http2CallEvents {
  /** Something came from the server. */
  heard(): void;
  /** The server has not looked at it: any request can be sent again. */
  refused(call: Http2Call): void;
  /** It has its response or its error; `aborted` when the caller did not wait for either. */
  over(aborted: boolean): void;
}

/** One request and its response on a stream of an HTTP/2 connection, for a handler made for undici's dispatcher. @internal */
export class Http2Call implements Dispatcher.DispatchController {
  aborted = false;
  readonly paused = false;
  reason: Error | null = null;

  readonly #options: Dispatcher.DispatchOptions;
  readonly #handler: Dispatcher.DispatchHandler;
  #stream: ClientHttp2Stream | undefined;
  #events: Http2CallEvents | undefined;
  #answered = false;
  #done = false;
  /** Bytes announced for the body, and come. Data may be handed over before the headers that came with it. */
  #announced: number | undefined;
  #received = 0;
  #refusals = 0;

  constructor(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
    this.#options = options;
    this.#handler = handler;
  }

  /** Sends the request. Without `events` having been called with `over`, it is under way. */
  send(session: ClientHttp2Session, events: Http2CallEvents): void {
    this.#events = events;
    this.#handler.onRequestStart?.(this, undefined);
    if (this.#done) return;
    const body = this.#options.body as string | null | undefined;
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(headersOf(this.#options, body), { endStream: body == null });
    } catch (error) {
      if (session.closed || session.destroyed) this.#refuse();
      else this.fail(asInvalid(error));
      return;
    }
    this.#stream = stream;
    stream.on('response', (headers) => this.#onResponse(headers));
    stream.on('data', (chunk: Buffer) => {
      events.heard();
      this.#received += chunk.length;
      if (!this.#done) this.#handler.onResponseData?.(this, chunk);
    });
    stream.on('end', () => this.#onEnd(stream));
    stream.on('error', (error: Error) => this.#onBroken(stream, error));
    stream.on('close', () => this.#onBroken(stream, undefined));
    if (body != null) stream.end(body);
  }

  /** Leaves it to another dispatcher; it must not have been sent. */
  passTo(dispatcher: Dispatcher): void {
    dispatcher.dispatch(this.#options, this.#handler);
  }

  /** Ends it with an error, unless it has ended already. */
  fail(error: Error): void {
    if (this.#done) return;
    this.#finish();
    this.#handler.onResponseError?.(this, error);
  }

  abort(reason: Error): void {
    if (this.#done) return;
    this.aborted = true;
    this.reason = reason;
    this.#stream?.close(CANCEL);
    this.fail(reason);
  }

  // Responses are small and read whole.
  pause(): void {}
  resume(): void {}

  #onResponse(received: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    const headers: Record<string, string | string[]> = {};
    for (const name in received) {
      const value = received[name];
      if (value !== undefined && name !== ':status') headers[name] = value;
    }
    this.#events?.heard();
    this.#answered = true;
    const length = Number(headers['content-length']);
    if (this.#options.method !== 'HEAD' && length > 0) this.#announced = length;
    if (!this.#done) this.#handler.onResponseStart?.(this, received[':status'] ?? 0, headers);
  }

  #onEnd(stream: ClientHttp2Stream): void {
    // The readable side ends in the same way when the stream was cut off.
    if (this.#done || !this.#answered || stream.rstCode !== NO_ERROR || stream.aborted) return;
    // So it does, without any sign of it, when the server resets it with NO_ERROR in the middle of the body.
    if (this.#announced !== undefined && this.#received < this.#announced) return this.#onBroken(stream, undefined);
    this.#finish();
    this.#handler.onResponseEnd?.(this, {});
  }

  #onBroken(stream: ClientHttp2Stream, error: Error | undefined): void {
    if (this.#done || stream !== this.#stream) return;
    if (stream.rstCode === REFUSED_STREAM && !this.#answered) this.#refuse();
    else
      this.fail(
        error ?? Object.assign(new Error('closed before the response was complete'), { code: 'UND_ERR_SOCKET' }),
      );
  }

  #refuse(): void {
    const events = this.#events;
    this.#stream = undefined;
    this.#refusals += 1;
    if (this.#refusals > 1) return this.fail(Object.assign(new Error('refused'), { code: 'ERR_HTTP2_STREAM_REFUSED' }));
    this.#events = undefined;
    events?.over(false);
    events?.refused(this);
  }

  #finish(): void {
    this.#done = true;
    this.#events?.over(this.aborted);
    this.#events = undefined;
  }
}

function headersOf(
  { method, path, headers }: Dispatcher.DispatchOptions,
  body: string | null | undefined,
): OutgoingHttpHeaders {
  const given = (headers ?? {}) as Record<string, string>;
  if (!/^\/[\x21-\x7e]*$/.test(path)) throw new TypeError('path');
  const sent: OutgoingHttpHeaders = { ':method': method, ':path': path };
  if (body != null) sent['content-length'] = Buffer.byteLength(body);
  for (const name in given) {
    // HTTP/2 itself carries any character.
    validateHeaderValue(name, given[name] ?? '');
    sent[name] = given[name];
  }
  return sent;
}

/** As undici names it. The message is dropped: it may quote the header. */
function asInvalid(error: unknown): Error {
  const { name } = error as Error;
  return Object.assign(new Error(`cannot be sent: ${name}`), { code: 'UND_ERR_INVALID_ARG' });
}
