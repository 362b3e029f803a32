import { redact, secretsOf } from '../../errors/redact.js';
import type { StandardIssue } from '../standard-schema.js';

/** What validators call the rule that was broken: zod and arktype `code`, valibot `type`; then what it asked for. */
const RULE = ['code', 'type'] as const;
const ASKED = ['expected', 'format', 'minimum', 'maximum', 'requirement'] as const;

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
  return `${JSON.stringify(key)} ${[rule ?? 'is not allowed', ...asked].join(', ')}`;
}

/** As `redact`, and nothing that equals a value, however short: here every text is a rule and may go. */
function blank(text: string, secrets: readonly string[]): string {
  return secrets.includes(text) ? '' : redact(text, secrets);
}
