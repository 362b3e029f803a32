import type { VaultRateLimit } from '../client/rate-limiter.js';
import { goRateLimit } from '../options/go-values.js';

const EXPECTED = '{ perSecond, burst? } or text such as "50" or "50:100" (requests per second, and at once)';
const HIGHEST = 1e9;

/** What a rate limit should have been; `undefined` when it is one. @internal */
export function checkRateLimit(value: unknown): string | undefined {
  return readRateLimit(value) === undefined ? EXPECTED : undefined;
}

/** A rate limit given as an object, or as text as `VAULT_RATE_LIMIT` has it; `undefined` when it is neither. @internal */
export function readRateLimit(value: unknown): VaultRateLimit | undefined {
  if (typeof value === 'string') return goRateLimit(value);
  if (typeof value !== 'object' || value === null) return undefined;
  const { perSecond, burst, ...unknown } = value as { perSecond?: unknown; burst?: unknown };
  if (Object.keys(unknown).length > 0) return undefined;
  if (typeof perSecond !== 'number' || !(perSecond > 0 && perSecond <= HIGHEST)) return undefined;
  if (burst === undefined) return { perSecond };
  return typeof burst === 'number' && Number.isInteger(burst) && burst >= 1 && burst <= HIGHEST
    ? { perSecond, burst }
    : undefined;
}
