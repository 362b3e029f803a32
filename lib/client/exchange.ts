import type { Dispatcher } from 'undici';
import type { Clock } from '../lifetime/clock.js';
import { systemClock } from '../lifetime/clock.js';

/** A response as it came off the wire. @internal */
export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Ways an exchange ends that undici has no error for. @internal */
export type ExchangeFault = 'deadline' | 'stalled' | 'aborted' | 'too-large';

/** Ends an exchange; `network-failure.ts` turns it into an error for people. @internal */
export class ExchangeInterrupted extends Error {
  constructor(readonly fault: ExchangeFault) {
    super(fault);
  }
}

/** What can carry an exchange: undici's pools and clients, and `HttpConnections`. @internal */
export interface RequestDispatcher {
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): unknown;
}

/** Limits of an exchange. @internal */
export interface ExchangeLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * One request and its response over undici's `dispatch`, with one deadline. A subclass says what becomes of the response and
 * of a failure; `outcome` never rejects.
 *
 * `dispatch` is used instead of `request` because bodies are small and read whole: no stream object per request, and no
 * abort listener unless the caller passes a signal.
 * @internal
 */
export abstract class Exchange<T> implements Dispatcher.DispatchHandler {
  readonly outcome: Promise<T>;
  #resolve!: (outcome: T) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #interrupted: ExchangeInterrupted | undefined;
  #status = 0;
  #headers: Record<string, string> = {};
  #chunk: Buffer | undefined;
  #more: Buffer[] | undefined;
  #size = 0;
  #settled = false;
  #failoverTimer: NodeJS.Timeout | undefined;
  #onAbort: (() => void) | undefined;
  readonly #maxBytes: number;
  readonly #signal: AbortSignal | undefined;
  readonly #cancelDeadline: () => void;

  constructor({ timeoutMs, maxBytes, signal, clock = systemClock }: ExchangeLimits) {
    this.#maxBytes = maxBytes;
    this.#signal = signal;
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#cancelDeadline = clock.setTimer(timeoutMs, () => this.#interrupt('deadline'), true);
  }

  /** True as soon as the request has a connection: from then on the server may have processed it. */
  get sent(): boolean {
    return this.#controller !== undefined;
  }

  /** Ends the exchange as stalled after that time: if it has no connection by then, or even if it has. */
  failoverAfter(ms: number, evenIfSent: boolean): void {
    this.#failoverTimer = setTimeout(() => {
      if (evenIfSent || !this.sent) this.#interrupt('stalled');
    }, ms);
  }

  /** Sends the request, also a second one after a redirect. */
  send(dispatcher: RequestDispatcher, options: Dispatcher.DispatchOptions): Promise<T> {
    const signal = this.#signal;
    if (signal !== undefined && this.#onAbort === undefined) {
      if (signal.aborted) {
        this.#interrupt('aborted');
        return this.outcome;
      }
      this.#onAbort = () => this.#interrupt('aborted');
      signal.addEventListener('abort', this.#onAbort, { once: true });
    }
    this.#controller = undefined;
    this.#chunk = undefined;
    this.#more = undefined;
    this.#size = 0;
    try {
      dispatcher.dispatch(options, this);
    } catch (error) {
      this.#fail(error);
    }
    return this.outcome;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It may have waited for a free connection until after its own end.
    if (this.#interrupted) controller.abort(this.#interrupted);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[]>): void {
    this.#status = status;
    for (const name in headers) {
      const value = headers[name];
      if (typeof value === 'object') headers[name] = value.join(', ');
    }
    // Interim responses such as 103 are followed by another one.
    this.#headers = headers as Record<string, string>;
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#maxBytes) this.#interrupt('too-large');
    else if (this.#chunk === undefined) this.#chunk = chunk;
    else (this.#more ??= []).push(chunk);
  }

  onResponseEnd(): void {
    const first = this.#chunk;
    const bytes = first && this.#more ? Buffer.concat([first, ...this.#more]) : first;
    let outcome: T | undefined;
    try {
      const text = bytes === undefined ? '' : bytes.toString('utf8');
      outcome = this.complete({ status: this.#status, headers: this.#headers, text });
    } catch (error) {
      return this.#fail(error);
    }
    if (outcome !== undefined) this.#settle(outcome);
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  /** @returns what `outcome` resolves with; `undefined` when another request was sent */
  protected abstract complete(response: RawResponse): T | undefined;

  /** @returns what `outcome` resolves with */
  protected abstract fail(failure: unknown): T;

  #fail(error: unknown): void {
    if (!this.#settled) this.#settle(this.fail(this.#interrupted ?? error));
  }

  #interrupt(fault: ExchangeFault): void {
    if (this.#settled) return;
    this.#interrupted = new ExchangeInterrupted(fault);
    this.#fail(this.#interrupted);
    this.#controller?.abort(this.#interrupted);
  }

  #settle(outcome: T): void {
    this.#settled = true;
    this.#cancelDeadline();
    if (this.#failoverTimer) clearTimeout(this.#failoverTimer);
    if (this.#onAbort) this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#resolve(outcome);
  }
}

/** An exchange whose outcome is the bare response, or what it failed with. @internal */
export class RawExchange extends Exchange<RawResponse | { readonly failure: unknown }> {
  protected override complete(response: RawResponse): RawResponse {
    return response;
  }

  protected override fail(failure: unknown): { readonly failure: unknown } {
    return { failure };
  }
}
