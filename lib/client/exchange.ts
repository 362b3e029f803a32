import type { Dispatcher } from 'undici';

/** An answer as it came off the wire. @internal */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Ways an exchange ends that undici has no error for. @internal */
export type ExchangeFault = 'deadline' | 'stalled' | 'aborted' | 'too-large';

/** Signals an `ExchangeFault` to the transport, which alone turns failures into errors for people. @internal */
export class ExchangeInterrupted extends Error {
  constructor(readonly fault: ExchangeFault) {
    super(fault);
  }
}

/**
 * One request and its answer over undici's dispatcher, with a deadline over the whole of it.
 *
 * `dispatch` is used rather than `request` because a whole small JSON body is all that is ever wanted: no stream object
 * per call, no abort listener unless the caller brought a signal.
 * @internal
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly answer: Promise<RawAnswer>;
  #resolve!: (answer: RawAnswer) => void;
  #reject!: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #interrupted: ExchangeInterrupted | undefined;
  #status = 0;
  #headers: Record<string, string> = {};
  #chunks: Buffer[] = [];
  #size = 0;
  readonly #timer: NodeJS.Timeout;
  #stallTimer: NodeJS.Timeout | undefined;
  readonly #onAbort = () => this.#interrupt('aborted');

  constructor(
    timeoutMs: number,
    private readonly maxBytes: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = setTimeout(() => this.#interrupt('deadline'), timeoutMs);
    if (signal?.aborted) this.#interrupt('aborted');
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** True when the exchange ended before it was handed to the dispatcher. */
  get interrupted(): boolean {
    return this.#interrupted !== undefined;
  }

  /** True as soon as the request has a connection: from then on the server may have seen it. */
  get sent(): boolean {
    return this.#controller !== undefined;
  }

  /** Ends the exchange as stalled after that time: if it has got no connection, or even if it has. */
  stallAfter(ms: number, evenIfSent: boolean): void {
    this.#stallTimer = setTimeout(() => {
      if (evenIfSent || !this.sent) this.#interrupt('stalled');
    }, ms);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It may have been waiting for a free connection past its own end.
    if (this.#interrupted) controller.abort(this.#interrupted);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[]>): void {
    this.#status = status;
    // Starts over after an interim answer such as 103.
    this.#headers = {};
    for (const name in headers) {
      const value = headers[name];
      if (value !== undefined) this.#headers[name] = Array.isArray(value) ? value.join(', ') : value;
    }
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.maxBytes) this.#interrupt('too-large');
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#settle();
    const first = this.#chunks[0];
    const bytes = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks);
    this.#resolve({ status: this.#status, headers: this.#headers, text: bytes.toString('utf8') });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  /** Ends the exchange with an error, unless it has ended already. */
  fail(error: unknown): void {
    this.#settle();
    this.#reject(this.#interrupted ?? error);
  }

  #interrupt(fault: ExchangeFault): void {
    this.#interrupted ??= new ExchangeInterrupted(fault);
    this.#controller?.abort(this.#interrupted);
    this.fail(this.#interrupted);
  }

  #settle(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#stallTimer);
    this.signal?.removeEventListener('abort', this.#onAbort);
  }
}
