import { redact, secretsOf } from '../../errors/redact.js';
import { printable, quoted } from '../../errors/printable.js';
import type { StandardIssue } from '../standard-schema.js';

/** What validators call the rule that was broken: zod and arktype `code`, valibot `type`; then what it asked for. */
const RULE = ['code', 'type'] as const;
const ASKED = ['expected', 'format', 'prefix', 'suffix', 'includes', 'minimum', 'maximum', 'divisor', 'requirement'];
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
    const keys = [...(issue.path ?? [])].map((part) => (typeof part === 'object' && part !== null ? part.key : part));
    const { names, found } = follow(values, keys, secrets);
    const key = [...path, ...names].join('.') || 'the whole';
    return `${quoted(key)} ${ruleOf(issue, secrets, found)}`;
  });
  const others = issues.length - described.length;
  return described.join('; ') + (others > 0 ? `; and ${others} more` : '');
}

/** Stands for a name that may be part of a value: of a text that the schema has taken apart, its pieces become names. */
const UNTOLD = '…';

/** The names on the path of an issue, and what stands there. A name is shown when it is a key, or a missing one, of an object. */
function follow(values: unknown, keys: readonly PropertyKey[], secrets: readonly string[]) {
  let found: unknown = values;
  let isTold = true;
  const names = keys.map((key) => {
    const around = found;
    const isContainer = typeof around === 'object' && around !== null;
    const isThere = isContainer && Object.hasOwn(around, key);
    found = isThere ? (around as Record<PropertyKey, unknown>)[key] : undefined;
    const name = String(key);
    const isIndex = Array.isArray(around) && /^\d{1,9}$/.test(name);
    isTold &&= isThere || isIndex || ((isContainer || around === undefined) && !isPartOf(name, secrets));
    return isTold ? name : UNTOLD;
  });
  return { names, found };
}

function isPartOf(text: string, secrets: readonly string[]): boolean {
  return text !== '' && secrets.some((secret) => secret.toLowerCase().includes(text.toLowerCase()));
}

/** Joi names no rule, neither does a schema made by hand: then it is only known whether there is a value. */
function ruleOf(issue: object, secrets: readonly string[], found: unknown): string {
  const details = issue as Readonly<Record<string, unknown>>;
  const text = (value: unknown): string =>
    typeof value === 'string' || typeof value === 'number' ? blank(String(value), secrets) : '';
  const named = (name: string): string[] => {
    const found = text(details[name]);
    return found === '' ? [] : [`${name} ${found}`];
  };
  const rule = RULE.map((name) => text(details[name])).find((found) => found !== '');
  const isKey = (name: unknown) => typeof name === 'string' && typeof found === 'object' && found !== null && Object.hasOwn(found, name); // prettier-ignore
  const listed = [
    ...listOf('values', details['values'], text),
    ...listOf('keys', details['keys'], (name) => (isKey(name) ? printable(name as string) : UNTOLD)),
  ];
  return [
    rule ?? (found === undefined ? 'is missing' : 'is refused'),
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
    return isItself ? [ruleOf({ ...issue, errors: undefined }, secrets, null)] : [];
  });
  return rules.length === 0 ? [] : [`either ${rules.join(' or ')}`];
}

/** As `redact`, and nothing that equals a value, however short: here every text is a rule and may go. */
function blank(text: string, secrets: readonly string[]): string {
  if (secrets.includes(text) || (text.length > 3 && isPartOf(text, secrets))) return '';
  const clean = redact(text, secrets).replace(FOUND, '');
  // Of a secret that has the same number, it is more likely the PIN than the count.
  return clean.replace(SHORT_NUMBER, (digits) => (secrets.includes(digits) ? '***' : digits));
}
