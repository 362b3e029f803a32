/**
 * Parsers of environment variables that accept what the Go clients of Vault and OpenBao accept. All return `undefined` for
 * an invalid value.
 */
import { MAX_TIMER_MS } from '../lifetime/clock.js';

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5
  μs: 1e-3, // U+03BC
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION = /^\+?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/** As Go's `strconv.ParseBool`. @internal */
export function goBoolean(text: string): boolean | undefined {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  return undefined;
}

/** A duration such as `1m30s`, `2d` or whole seconds, in milliseconds; above zero and at most `MAX_TIMER_MS`. @internal */
export function goDurationMs(text: string): number | undefined {
  const plain = /^\+?(\d+)(d?)$/.exec(text);
  let total: number;
  if (plain) total = Number(plain[1]) * (plain[2] === 'd' ? 86_400_000 : 1_000);
  else if (DURATION.test(text)) {
    total = 0;
    for (const [, amount, unit] of text.matchAll(PART)) total += Number(amount) * (UNIT_MS[unit ?? ''] ?? NaN);
  } else return undefined;
  return total > 0 && total <= MAX_TIMER_MS ? Math.ceil(total) : undefined;
}

/** As Go's `strconv.ParseUint` with 32 bits. @internal */
export function goUint(text: string): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  return value < 2 ** 32 ? value : undefined;
}

/** `rate` or `rate:burst`, in requests per second. Default burst: the rate rounded down, at least 1. @internal */
export function goRateLimit(text: string): { readonly perSecond: number; readonly burst: number } | undefined {
  const [, rate, burst] = /^(\d+(?:\.\d+)?)(?::(\d+))?$/.exec(text) ?? [];
  const perSecond = Number(rate);
  const maxBurst = burst === undefined ? Math.max(1, Math.floor(perSecond)) : Number(burst);
  return perSecond > 0 && perSecond <= 1e9 && maxBurst >= 1 && maxBurst <= 1e9
    ? { perSecond, burst: maxBurst }
    : undefined;
}

/** A JSON object of strings. @internal */
export function goHeaders(text: string): Readonly<Record<string, string>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const isMap = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
    return isMap && Object.values(parsed).every((value) => typeof value === 'string')
      ? (parsed as Record<string, string>)
      : undefined;
  } catch {
    return undefined;
  }
}
