import type { VaultError } from '../errors/index.js';
import type { RawAnswer } from './exchange.js';
import { NO_LEADER, retryAfterMs } from './failures/status-failure.js';
import type { VaultRequest } from './vault-request.js';

const BACKOFF_MS = 1000;
const BACKOFF_JITTER_MS = 500;
const SHORTEST_ROUND_MS = 100;
const LONGEST_ROUND_MS = 2000;

/**
 * What a failed try says about another one. A failure without a verdict is never repeated.
 * @internal
 */
export interface Verdict {
  /** The server surely did not act on the request: even a write may be sent again. */
  readonly untouched: boolean;
  /** The server is to blame and not the call: another one may do better. */
  readonly serverFault: boolean;
  /** Waiting does not help at this server: somebody has to do something. */
  readonly final: boolean;
  /** How long the server asks to wait. */
  readonly retryAfterMs?: number | undefined;
}

const OUT_OF_ORDER: Verdict = { untouched: true, serverFault: true, final: true };
const UNREACHED: Verdict = { untouched: true, serverFault: true, final: false };
/** The server may have acted on the request, and its answer did not arrive. @internal */
export const BROKEN: Verdict = { untouched: false, serverFault: true, final: false };
const REFUSED_FOR_NOW: Verdict = { untouched: true, serverFault: false, final: false };
const FAILED_INSIDE: Verdict = { untouched: false, serverFault: false, final: false };

/**
 * Judges an answer with an error status.
 * @see https://developer.hashicorp.com/vault/api-docs#http-status-codes
 * @internal
 */
export function judgeAnswer({ status, headers, text }: RawAnswer, error: VaultError): Verdict | undefined {
  switch (status) {
    // Vault: a state this server does not have yet. OpenBao says 429 to that, and both do to a quota.
    case 412:
    case 429:
      return withRetryAfter(REFUSED_FOR_NOW, headers);
    // A disaster-recovery secondary, a performance standby that cannot serve this, a server without keys.
    case 472:
    case 473:
    case 501:
      return OUT_OF_ORDER;
    case 500:
      // A parameter that the request lacks: the next attempt would lack it too.
      if (error.code === 'VAULT_REQUEST') return undefined;
      return text.includes(NO_LEADER) ? UNREACHED : FAILED_INSIDE;
    case 503:
      return error.code === 'VAULT_SEALED' ? OUT_OF_ORDER : withRetryAfter(BROKEN, headers);
    case 502:
    case 504:
      return BROKEN;
    default:
      return status > 504 ? FAILED_INSIDE : undefined;
  }
}

/** Judges a failure below HTTP. `sent` tells whether the request had been given a connection. @internal */
export function judgeFailure(error: VaultError, sent: boolean): Verdict | undefined {
  if (error.code === 'VAULT_TLS') return OUT_OF_ORDER;
  if (error.code !== 'VAULT_CONNECTION' && error.code !== 'VAULT_TIMEOUT') return undefined;
  return sent ? BROKEN : UNREACHED;
}

/** Whether a request may be sent again although the server may have acted on it. @internal */
export function isRepeatable({ method, idempotent }: Pick<VaultRequest, 'method' | 'idempotent'>): boolean {
  return idempotent ?? (method === 'GET' || method === 'HEAD');
}

/** The wait before the n-th repetition, counted from 1: n times 1 to 1.5 seconds, as Vault's own clients wait. @internal */
export function backoffMs(repetition: number, random = Math.random): number {
  return repetition * (BACKOFF_MS + random() * BACKOFF_JITTER_MS);
}

/** The wait before another try when all of several servers were asked, and some more than once, counted from 0. @internal */
export function roundMs(repetition: number, random = Math.random): number {
  return Math.min(LONGEST_ROUND_MS, SHORTEST_ROUND_MS * 2 ** repetition) * (0.5 + random() / 2);
}

function withRetryAfter(verdict: Verdict, headers: RawAnswer['headers']): Verdict {
  const asked = retryAfterMs(headers['retry-after']);
  return asked === undefined ? verdict : { ...verdict, retryAfterMs: asked };
}
