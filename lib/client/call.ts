import type { Clock } from '../lifetime/clock.js';
import type { ClientOptions } from './client-options.js';
import type { CallContext } from './network-errors.js';
import type { Attempts } from './retry.js';
import type { CallBudget } from './token-source.js';
import type { VaultRequest } from './vault-request.js';

/** Vault's own limit for a request; no legitimate response is larger. */
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * A request on its way: its deadline, and what its errors say about it. One object for the whole call, not a copy for each
 * step of it.
 * @internal
 */
export class Call implements CallContext, CallBudget {
  readonly request: VaultRequest;
  readonly operation: string;
  readonly path: string;
  readonly namespace: string | undefined;
  readonly timeoutMs: number;
  readonly deadline: number;
  readonly connectTimeoutMs: number;
  readonly proxy: boolean;
  readonly maxBytes = MAX_BYTES;
  /** Address of the endpoint the current attempt goes to. */
  endpoint: string;
  /** What earlier attempts failed with, as text that begins with a space. */
  previousAttempts = '';
  /** Number of the current attempt, from 1. */
  attempt = 0;
  /** Attempts that failed and were followed by another one. */
  attempts: Attempts | undefined;
  readonly #clock: Clock;

  constructor(request: VaultRequest, options: ClientOptions, endpoint: string, clock: Clock) {
    this.request = request;
    this.operation = request.operation ?? `${request.method} ${request.path}`;
    this.path = request.path;
    this.namespace = request.namespace ?? options.namespace;
    this.timeoutMs = request.timeoutMs ?? options.timeoutMs;
    // `prepareRequest` rejects anything but a number.
    this.deadline = clock.monotonic() + (typeof this.timeoutMs === 'number' ? this.timeoutMs : 0);
    this.connectTimeoutMs = options.connectTimeoutMs;
    this.proxy = options.proxy !== undefined;
    this.endpoint = endpoint;
    this.attempts = undefined;
    this.#clock = clock;
  }

  /** Milliseconds until the deadline, at least 1. */
  get timeLeftMs(): number {
    return Math.max(1, this.deadline - this.#clock.monotonic());
  }
}
