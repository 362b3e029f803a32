import { redact, secretsOf } from '../../errors/redact.js';
import { shortList } from '../printable.js';
import type { StandardIssue } from '../standard-schema.js';

/** What validators call the rule that was broken: zod and arktype `code`, valibot `type`; then what it asked for. */
const RULE = ['code', 'type'] as const;
const ASKED = ['expected', 'format', 'prefix', 'suffix', 'includes', 'minimum', 'maximum', 'divisor', 'requirement'];
/** Lists of zod: what is allowed, and names of keys that are not. */
const LISTED = ['values', 'keys'] as const;
/** Where arktype names what it found instead: in unions this is part of what was expected. */
const FOUND = /\s*\(was [^()]*\)/g;
/** Which `redact` leaves standing. */
const SHORT_NUMBER = /(?<![\p{L}\p{N}])\d{1,3}(?![\p{L}\p{N}])/gu;

/**
 * Names the key and the rule of an issue. Its message is left out: it is the validator's or the user's own text, and
 * many of them quote the value.
 *
 * @param path containers the validated object stands in
 * @param values what was validated, so that none of it can be part of the description
 * @internal
 */
export function describeIssue(issue: StandardIssue, path: readonly string[], values: unknown): string {
  const keys = (issue.path ?? []).map((part) => (typeof part === 'object' && part !== null ? part.key : part));
  const key = [...path, ...keys.map(String)].join('.') || 'the whole';
  const details = issue as unknown as Record<string, unknown>;
  const secrets = secretsOf(values);
  const text = (value: unknown): string =>
    typeof value === 'string' || typeof value === 'number' ? blank(String(value), secrets) : '';
  const rule = RULE.map((name) => text(details[name])).find((found) => found !== '');
  const asked = ASKED.flatMap((name) => (text(details[name]) === '' ? [] : [`${name} ${text(details[name])}`]));
  const listed = LISTED.flatMap((name) => {
    const list: unknown = details[name];
    const texts = Array.isArray(list) ? list.map(text).filter((found) => found !== '') : [];
    return texts.length === 0 ? [] : [`${name} ${shortList(texts)}`];
  });
  return `${JSON.stringify(key)} ${[rule ?? 'is not allowed', ...asked, ...listed].join(', ')}`;
}

/** As `redact`, and nothing that equals a value, however short: here every text is a rule and may go. */
function blank(text: string, secrets: readonly string[]): string {
  if (secrets.includes(text)) return '';
  const clean = redact(text, secrets).replace(FOUND, '');
  // Of a secret that has the same number, it is more likely the PIN than the count.
  return clean.replace(SHORT_NUMBER, (digits) => (secrets.includes(digits) ? '***' : digits));
}
