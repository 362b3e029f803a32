const BUCKETS = [8, 16, 32, 64, 128, 256];

/** What may be told about a value without telling anything of its content. */
export interface MaskedValue {
  readonly type: string;
  /** Of texts: a range, as the exact length would help with guessing. */
  readonly length?: string;
}

/** Describes a configuration value for people who must not see it. */
export function maskValue(value: unknown): MaskedValue {
  if (typeof value === 'string') return { type: 'text', length: lengthOf(value) };
  if (Array.isArray(value)) return { type: 'list' };
  return { type: value === null ? 'null' : typeof value };
}

function lengthOf({ length }: string): string {
  if (length === 0) return 'empty';
  const index = BUCKETS.findIndex((limit) => length <= limit);
  if (index < 0) return `more than ${BUCKETS.at(-1)} characters`;
  return `${(BUCKETS[index - 1] ?? 0) + 1}–${BUCKETS[index]} characters`;
}
