import type { VaultError } from '../errors/index.js';

/**
 * A try of a call that failed, and is followed by another one.
 * @internal
 */
export interface FailedTry {
  /** The call in words. */
  readonly operation: string;
  /** The server that was asked. */
  readonly endpoint: string;
  /** Which try it was, counted from 1. */
  readonly attempt: number;
  /** The status of the answer, when there was one. */
  readonly statusCode?: number | undefined;
  /** A low-level code such as `ECONNREFUSED`, `status 503`, or the code of the error. */
  readonly reason: string;
  /** Milliseconds until the next try, when it waits; with several servers the next try waits for one of them. */
  readonly waitMs: number;
  /** What would have been thrown. */
  readonly error: VaultError;
}

/** A low-level code such as `ECONNREFUSED`, `status 503`, or the code of the error. @internal */
export function shortReason({ reason, statusCode, code }: VaultError): string {
  return reason ?? (statusCode === undefined ? code : `status ${statusCode}`);
}

/**
 * The failed tries of one call.
 * @internal
 */
export class Tries {
  /** Repetitions that count against `request.retries`. */
  repetitions = 0;
  #count = 0;
  readonly #reasons = new Map<string, number>();
  readonly #endpoints = new Set<string>();

  get count(): number {
    return this.#count;
  }

  /** How many different servers were asked. */
  get endpoints(): number {
    return this.#endpoints.size;
  }

  has(endpoint: string): boolean {
    return this.#endpoints.has(endpoint);
  }

  /** @returns the reason in short */
  add(endpoint: string, error: VaultError): string {
    const reason = shortReason(error);
    const key = `${endpoint}: ${reason}`;
    this.#count += 1;
    this.#endpoints.add(endpoint);
    this.#reasons.set(key, (this.#reasons.get(key) ?? 0) + 1);
    return reason;
  }

  /** For the error of a later try: what came before it. */
  toString(): string {
    const parts = [...this.#reasons].map(([key, times]) => (times === 1 ? key : `${key}, ${times} times`));
    return ` (before that: ${parts.join('; ')})`;
  }
}
