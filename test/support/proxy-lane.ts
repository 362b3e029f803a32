import type { Socket } from 'node:net';
import { resetSocket } from './reset-socket.js';

/** How one direction of a connection is treated. */
export interface LaneRule {
  /** Nothing is delivered, and nothing lost: it waits for another rule. */
  readonly held?: boolean;
  /** How long a byte is on its way. */
  readonly delayMs?: number;
  /** Further delay of the first byte of a connection: the round trip that making it would have cost. */
  readonly firstMs?: number;
  /** Delivers so many bytes at a time. */
  readonly drip?: { readonly bytes: number; readonly everyMs: number };
  /** Calls `reset` when so many bytes were delivered under this rule. */
  readonly limit?: { readonly bytes: number; readonly reset: () => void };
}

/** Bytes on their way; or that the sender has ended its side, or is gone. */
interface Item {
  readonly what: Buffer | 'end' | 'reset';
  readonly due: number;
}

const HIGH_WATER = 1024 * 1024;

// A reset that arrives together with the last bytes before it looks like an orderly end to Node.
const RESET_DELAY_MS = 10;

/** One direction of a proxied connection: what comes from one socket goes to the other, as late and as slow as the rule says. */
export class Lane {
  readonly #queue: Item[] = [];
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #delivered: (bytes: number) => void;
  #rule: LaneRule = {};
  #timer: NodeJS.Timeout | undefined;
  #held = 0;
  #sinceRule = 0;
  #nextDrop = 0;
  #first = true;

  constructor(source: Socket, target: Socket, delivered: (bytes: number) => void) {
    this.#source = source;
    this.#target = target;
    this.#delivered = delivered;
    source.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError);
    target.on('drain', this.#pump);
  }

  /** Bytes received and not yet delivered. */
  get held(): number {
    return this.#held;
  }

  /** From now on, also for what is on its way already. */
  follow(rule: LaneRule): void {
    this.#rule = rule;
    this.#sinceRule = 0;
    this.#nextDrop = 0;
    this.#pump();
  }

  /** Leaves both sockets alone; what was on its way is lost. */
  release(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#held = 0;
    this.#source.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError);
    this.#target.off('drain', this.#pump);
  }

  readonly #onData = (data: Buffer): void => {
    this.#held += data.length;
    if (this.#held > HIGH_WATER) this.#source.pause();
    this.#enqueue(data);
  };
  readonly #onEnd = (): void => this.#enqueue('end');
  readonly #onError = (): void => this.#enqueue('reset');

  #enqueue(what: Item['what']): void {
    const { delayMs = 0, firstMs = 0 } = this.#rule;
    this.#queue.push({ what, due: performance.now() + delayMs + (this.#first ? firstMs : 0) });
    this.#first = false;
    this.#pump();
    // Tells whoever waits for bytes that do not get through.
    this.#delivered(0);
  }

  readonly #pump = (): void => {
    clearTimeout(this.#timer);
    const { held, drip, limit } = this.#rule;
    while (held !== true && this.#target.writableNeedDrain !== true) {
      const next = this.#queue[0];
      if (next === undefined) return;
      const waitMs = Math.max(next.due, this.#nextDrop) - performance.now();
      if (waitMs > 0) return this.#pumpIn(waitMs);
      this.#queue.shift();
      if (next.what === 'end') this.#target.end();
      else if (next.what === 'reset') resetSocket(this.#target);
      else {
        const most = Math.min(drip?.bytes ?? Infinity, (limit?.bytes ?? Infinity) - this.#sinceRule);
        const piece = next.what.subarray(0, most);
        if (piece.length < next.what.length) this.#queue.unshift({ ...next, what: next.what.subarray(piece.length) });
        this.#deliver(piece);
        if (limit !== undefined && this.#sinceRule >= limit.bytes) return this.#resetSoon(limit.reset);
        if (drip !== undefined) this.#nextDrop = performance.now() + drip.everyMs;
      }
    }
  };

  #resetSoon(reset: () => void): void {
    this.release();
    this.#timer = setTimeout(reset, RESET_DELAY_MS);
  }

  #pumpIn(ms: number): void {
    this.#timer = setTimeout(this.#pump, ms);
  }

  #deliver(piece: Buffer): void {
    this.#held -= piece.length;
    this.#sinceRule += piece.length;
    this.#target.write(piece);
    if (this.#held <= HIGH_WATER) this.#source.resume();
    this.#delivered(piece.length);
  }
}
