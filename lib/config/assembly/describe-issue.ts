import { redact, secretsOf } from '../../errors/redact.js';
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

/** So many are described; a secret of a thousand keys may have a thousand issues. */
const MOST_DESCRIBED = 20;

/**
 * Names the keys and the rules of issues. Their messages are left out: they are the validator's or the user's own text, and
 * many of them quote the value.
 *
 * @param path containers the validated object stands in
 * @param values what was validated, so that none of it can be part of the description
 * @internal
 */
export function describeIssues(issues: readonly StandardIssue[], path: readonly string[], values: unknown): string {
  const secrets = secretsOf(values);
  const described = issues.slice(0, MOST_DESCRIBED).map((issue) => {
    const keys = (issue.path ?? []).map((part) => (typeof part === 'object' && part !== null ? part.key : part));
    const key = [...path, ...keys.map(String)].join('.') || 'the whole';
    return `${JSON.stringify(key)} ${ruleOf(issue, secrets, isThere(values, keys))}`;
  });
  const others = issues.length - described.length;
  return described.join('; ') + (others > 0 ? `; and ${others} more` : '');
}

/** Whether there is a value at the path of an issue. */
function isThere(values: unknown, keys: readonly PropertyKey[]): boolean {
  const found = keys.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    values,
  );
  return found !== undefined;
}

/** Joi names no rule, neither does a schema made by hand: then it is only known whether there is a value. */
function ruleOf(issue: object, secrets: readonly string[], there = true): string {
  const details = issue as Readonly<Record<string, unknown>>;
  const text = (value: unknown): string =>
    typeof value === 'string' || typeof value === 'number' ? blank(String(value), secrets) : '';
  const named = (name: string): string[] => {
    const found = text(details[name]);
    return found === '' ? [] : [`${name} ${found}`];
  };
  const rule = RULE.map((name) => text(details[name])).find((found) => found !== '');
  const listed = LISTED.flatMap((name) => listOf(name, details[name], text));
  return [
    rule ?? (there ? 'is refused' : 'is missing'),
    ...ASKED.flatMap(named),
    ...listed,
    ...branchesOf(details, secrets),
  ].join(', ');
}

function listOf(name: string, list: unknown, text: (value: unknown) => string): string[] {
  const texts = Array.isArray(list) ? list.slice(0, MOST_DESCRIBED).map(text) : [];
  const found = texts.filter((entry) => entry !== '');
  const others = Array.isArray(list) ? list.length - texts.length : 0;
  return found.length === 0 ? [] : [`${name} ${found.join(', ')}${others > 0 ? ` and ${others} more` : ''}`];
}

/** What each way of a union of zod asks for, as far as it is about the value itself. */
function branchesOf({ code, errors }: Readonly<Record<string, unknown>>, secrets: readonly string[]): string[] {
  if (code !== 'invalid_union' || !Array.isArray(errors)) return [];
  const first = (errors as unknown[]).flatMap((branch) =>
    Array.isArray(branch) ? (branch as unknown[]).slice(0, 1) : [],
  );
  const rules = first.slice(0, MOST_DESCRIBED).flatMap((issue) => {
    const isItself = typeof issue === 'object' && issue !== null && (issue as StandardIssue).path?.length === 0;
    return isItself ? [ruleOf({ ...issue, errors: undefined }, secrets)] : [];
  });
  return rules.length === 0 ? [] : [`either ${rules.join(' or ')}`];
}

/** As `redact`, and nothing that equals a value, however short: here every text is a rule and may go. */
function blank(text: string, secrets: readonly string[]): string {
  if (secrets.includes(text)) return '';
  const clean = redact(text, secrets).replace(FOUND, '');
  // Of a secret that has the same number, it is more likely the PIN than the count.
  return clean.replace(SHORT_NUMBER, (digits) => (secrets.includes(digits) ? '***' : digits));
}
