import type { VaultError } from '../errors/index.js';
import { backoffMs } from '../lifetime/backoff.js';
import type { RawResponse } from './exchange.js';
import { NO_LEADER, retryAfterMs } from './response-errors.js';
import type { VaultRequest } from './vault-request.js';

const RETRY_BACKOFF_MS = 1000;
const RETRY_JITTER_MS = 500;
const FAILOVER_BACKOFF = { firstMs: 100, maxMs: 2000, jitter: [0.5, 1] } as const;
/** With less time left than this, another attempt is pointless. */
const MIN_ATTEMPT_MS = 5;

/**
 * What a failed attempt says about another one. A failure without a decision is never retried.
 * @internal
 */
export interface RetryDecision {
  /** The server has certainly not acted on the request: even a write may be sent again. */
  readonly notProcessed: boolean;
  /** The endpoint is at fault and not the request: another endpoint may do better. */
  readonly failover: boolean;
  /** Waiting does not help at this endpoint: it needs an operator. */
  readonly permanent: boolean;
  /** The delay the server asks for. */
  readonly retryAfterMs?: number | undefined;
}

const NODE_UNAVAILABLE: RetryDecision = { notProcessed: true, failover: true, permanent: true };
const NOT_SENT: RetryDecision = { notProcessed: true, failover: true, permanent: false };
/** The server may have acted on the request, and its response did not arrive. @internal */
export const AMBIGUOUS: RetryDecision = { notProcessed: false, failover: true, permanent: false };
const THROTTLED: RetryDecision = { notProcessed: true, failover: false, permanent: false };
const SERVER_ERROR: RetryDecision = { notProcessed: false, failover: false, permanent: false };

/** A failed attempt: its error, and what it says about another attempt. @internal */
export class AttemptFailure {
  constructor(
    readonly error: VaultError,
    readonly decision: RetryDecision | undefined,
  ) {}
}

/**
 * Classifies a response with an error status.
 * @see https://developer.hashicorp.com/vault/api-docs#http-status-codes
 * @internal
 */
export function classifyResponse({ status, headers, text }: RawResponse, error: VaultError): RetryDecision | undefined {
  switch (status) {
    // Vault: a state this server does not have yet. OpenBao sends 429 for that, and both do for a quota.
    case 412:
    case 429:
      return withRetryAfter(THROTTLED, headers);
    // A disaster-recovery secondary, a performance standby that cannot serve this, a server without keys.
    case 472:
    case 473:
    case 501:
      return NODE_UNAVAILABLE;
    case 500:
      // A parameter that the request lacks: the next attempt would lack it too.
      if (error.code === 'VAULT_REQUEST') return undefined;
      return text.includes(NO_LEADER) ? NOT_SENT : SERVER_ERROR;
    case 503:
      return error.code === 'VAULT_SEALED' ? NODE_UNAVAILABLE : withRetryAfter(AMBIGUOUS, headers);
    case 502:
    case 504:
      return AMBIGUOUS;
    default:
      return status > 504 ? SERVER_ERROR : undefined;
  }
}

/** Classifies a failure below HTTP. `sent` says whether the request had been given a connection. @internal */
export function classifyFailure(error: VaultError, sent: boolean): RetryDecision | undefined {
  if (error.code === 'VAULT_TLS') return NODE_UNAVAILABLE;
  if (error.code !== 'VAULT_CONNECTION' && error.code !== 'VAULT_TIMEOUT') return undefined;
  return sent ? AMBIGUOUS : NOT_SENT;
}

/** Whether a request may be sent again although the server may have acted on it. @internal */
export function isRepeatable({
  method,
  path,
  idempotent,
}: Pick<VaultRequest, 'method' | 'path' | 'idempotent'>): boolean {
  return idempotent ?? ((method === 'GET' || method === 'HEAD') && !issuesOnRead(path));
}

/**
 * Whether a read of this path may create credentials, a token or a lease, or uses up what it reads, by the names that Vault's
 * engines give such paths below their mount.
 *
 * @param path percent-encoded API path below `/v1/`
 * @internal
 */
export function issuesOnRead(path: string): boolean {
  const [first = '', ...others] = decodeURIComponent(path).split('/');
  if (first === 'sys') return false;
  if (first === 'cubbyhole') return true;
  return (first === 'auth' ? others.slice(1) : others).some((name) => ISSUING.includes(name));
}

const ISSUING: readonly string[] = ['creds', 'static-creds', 'sts', 'token', 'key', 'code', 'callback'];

/**
 * Milliseconds until the next attempt of a call; `undefined` when it has failed. Counts a retry.
 *
 * @param attempts the failed ones before this
 * @param retries at most
 * @param timeLeftMs of the call
 * @param endpoints how many there are, and whether waiting does not help at any of them
 * @internal
 */
export function nextDelayMs(
  decision: RetryDecision | undefined,
  attempts: Attempts,
  request: VaultRequest,
  retries: number,
  timeLeftMs: number,
  endpoints: { readonly size: number; readonly permanentlyDown: boolean },
): number | undefined {
  if (!decision || timeLeftMs < MIN_ATTEMPT_MS || !(decision.notProcessed || isRepeatable(request))) return undefined;
  if (endpoints.size > 1 && decision.failover) {
    // A failover is not a retry. There is a delay once all endpoints were asked.
    const round = attempts.count + 1 - endpoints.size;
    if (round < 0) return 0;
    if (retries === 0 || endpoints.permanentlyDown) return undefined;
    return Math.min(backoffMs(round + 1, FAILOVER_BACKOFF), timeLeftMs / 2);
  }
  if (decision.permanent || attempts.retries >= retries) return undefined;
  attempts.retries += 1;
  const { retryAfterMs: askedMs } = decision;
  // A caller does not wait for a moment that is after its deadline.
  if (askedMs !== undefined) return askedMs < timeLeftMs ? askedMs : undefined;
  return Math.min(retryBackoffMs(attempts.retries), timeLeftMs / 2);
}

/** The delay before a retry, counted from 1: as many times 1 to 1.5 seconds, the delays of Vault's own clients. @internal */
export function retryBackoffMs(retry: number, random = Math.random): number {
  return retry * (RETRY_BACKOFF_MS + random() * RETRY_JITTER_MS);
}

function withRetryAfter(decision: RetryDecision, headers: RawResponse['headers']): RetryDecision {
  const askedMs = retryAfterMs(headers['retry-after']);
  return askedMs === undefined ? decision : { ...decision, retryAfterMs: askedMs };
}

/**
 * An attempt that failed and is followed by another one.
 * @internal
 */
export interface FailedAttempt {
  /** What the request does, as text. */
  readonly operation: string;
  /** The endpoint that was asked. */
  readonly endpoint: string;
  /** Counted from 1. */
  readonly attempt: number;
  /** Status of the response, if there was one. */
  readonly statusCode?: number | undefined;
  /** A low-level code such as `ECONNREFUSED`, `status 503`, or the code of the error. */
  readonly reason: string;
  /** Milliseconds until the next attempt; with several endpoints, that one waits for one of them. */
  readonly waitMs: number;
  /** What would have been thrown. */
  readonly error: VaultError;
}

/** A low-level code such as `ECONNREFUSED`, `status 503`, or the code of the error. @internal */
export function shortReason({ reason, statusCode, code }: VaultError): string {
  return reason ?? (statusCode === undefined ? code : `status ${statusCode}`);
}

/**
 * The failed attempts of one call.
 * @internal
 */
export class Attempts {
  /** Those that count against `request.retries`. */
  retries = 0;
  #count = 0;
  readonly #reasons = new Map<string, number>();
  readonly #endpoints = new Set<string>();

  get count(): number {
    return this.#count;
  }

  /** How many endpoints were asked. */
  get endpoints(): number {
    return this.#endpoints.size;
  }

  /** Whether this endpoint was asked. */
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

  /** For the error of a later attempt. */
  toString(): string {
    const parts = [...this.#reasons].map(([key, times]) => (times === 1 ? key : `${key}, ${times} times`));
    return ` (before that: ${parts.join('; ')})`;
  }
}
