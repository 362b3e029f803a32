import { isJsonObject } from '../../client/vault-request.js';
import { race, TIMED_OUT } from '../../lifetime/race.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigLayer } from '../plan.js';
import type { Path } from '../config-tree.js';
import { ConfigTree, containerAt } from '../config-tree.js';
import type { VaultError } from '../../errors/index.js';
import { formatDuration, printable, quoted } from '../../errors/format.js';
import { copyPlain, isPlainObject } from '../plain.js';
import type { StandardIssue, StandardSchema } from '../standard-schema.js';
import { NO_SECRET } from '../origins.js';
import { redact, secretsOf } from '../../errors/redact.js';

/** A schema that never settles must not stop all later refreshes. */
const VALIDATION_TIMEOUT_MS = 30_000;

/**
 * Validates the values of a layer with its schema; the output of the schema, defaults included, replaces them.
 * @internal
 */
export async function validateLayer(
  layer: ConfigLayer,
  tree: ConfigTree,
): Promise<{ readonly tree: ConfigTree; readonly failures: readonly VaultError[] }> {
  const { schema, path, option } = layer;
  if (!schema) return { tree, failures: [] };
  const input = containerAt(tree.toObject(), path);
  const fail = (message: string) => ({ tree, failures: [new VaultInvalidOptionError(message)] });
  try {
    const result = await race(listingAll(schema)['~standard'].validate(input), {
      timeoutMs: VALIDATION_TIMEOUT_MS,
      keepAlive: false,
    });
    if (result === TIMED_OUT)
      return fail(
        `The schema of ${option} has not returned within ${formatDuration(VALIDATION_TIMEOUT_MS)}. Look at what it waits for.`,
      );
    // A handwritten schema may return anything, such as getters that throw an error with a value: all of it is read inside this try.
    if (result.issues)
      return fail(
        `The values of ${option} do not fit its schema: ${describeIssues(result.issues, path, containerAt(tree.toObject(), path))}.`,
      );
    if (!isJsonObject(result.value))
      return fail(`The schema of ${option} makes something else than an object of its values.`);
    if (layer.namespace && hasMethods(result.value))
      return fail(
        `The schema of ${option} makes an instance of a class. Its methods and getters would be lost: the object of a configuration namespace is the same for as long as the application runs, and only its values change. Let the schema make a plain object; an instance may be the value of a key.`,
      );
    return { tree: replaceValues(result.value, path, tree), failures: [] };
  } catch {
    // The message of the schema's error may quote a value.
    return fail(`The schema of ${option} failed instead of giving a result. Look at its refinements and transforms.`);
  }
}

/** By default Joi stops at the first problem. */
function listingAll(schema: StandardSchema): StandardSchema {
  const { prefs } = schema as { readonly prefs?: unknown };
  if (schema['~standard'].vendor !== 'joi' || typeof prefs !== 'function') return schema;
  return (prefs as (options: object) => StandardSchema).call(schema, { abortEarly: false });
}

/** Whether an object has methods or getters besides its properties. */
function hasMethods(value: object): boolean {
  for (let of: unknown = value; !isPlainObject(of); of = Object.getPrototypeOf(of)) {
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(of));
    if (names.some((name) => name !== 'constructor')) return true;
  }
  return false;
}

/** The output of a schema with the origins of its input; a default has the origin of the layer's first value. */
function replaceValues(output: object, path: Path, input: ConfigTree): ConfigTree {
  const replaced = new ConfigTree();
  const [first] = input.leaves();
  const origin = { ...(first?.origin ?? NO_SECRET), fromSchema: true as const, overrides: [] };
  const queue: { readonly path: Path; readonly values: object }[] = [{ path, values: output }];
  for (let next = queue.shift(); next; next = queue.shift()) {
    for (const [key, value] of Object.entries(next.values)) {
      const place = [...next.path, key];
      if (input.hasContainer(place) && isJsonObject(value)) queue.push({ path: place, values: value });
      // Copied here, where errors of getters are caught.
      else replaced.set({ origin, ...input.leaf(place), path: place, value: copyPlain(value) });
    }
  }
  return replaced;
}

/** What validators call the rule that was broken: zod and arktype `code`, valibot `type`; then what it asked for. */
const RULE = ['code', 'type'] as const;
const ASKED = ['expected', 'format', 'prefix', 'suffix', 'includes', 'minimum', 'maximum', 'divisor', 'requirement'];
/** Where arktype names what it found instead: in unions this is part of what was expected. */
const FOUND = /\s*\(was [^()]*\)/g;
/** Which `redact` leaves standing. */
const SHORT_NUMBER = /(?<![\p{L}\p{N}])\d{1,3}(?![\p{L}\p{N}])/gu;

/** So many are described; a secret of a thousand keys may have a thousand issues. */
const MAX_DESCRIBED = 20;

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
  const described = issues.slice(0, MAX_DESCRIBED).map((issue) => {
    const keys = [...(issue.path ?? [])].map((part) => (typeof part === 'object' && part !== null ? part.key : part));
    const { names, found } = follow(values, keys, secrets);
    const key = [...path, ...names].join('.') || 'the whole';
    return `${quoted(key)} ${ruleOf(issue, secrets, found)}`;
  });
  const others = issues.length - described.length;
  return described.join('; ') + (others > 0 ? `; and ${others} more` : '');
}

/** Stands for a name that may be part of a value: of a text that the schema has taken apart, its pieces become names. */
const HIDDEN_NAME = '…';

/** The names on the path of an issue, and what stands there. A name is shown when it is a key, or a missing one, of an object. */
function follow(values: unknown, keys: readonly PropertyKey[], secrets: readonly string[]) {
  let found: unknown = values;
  let isShown = true;
  const names = keys.map((key) => {
    const around = found;
    const isContainer = typeof around === 'object' && around !== null;
    const exists = isContainer && Object.hasOwn(around, key);
    found = exists ? (around as Record<PropertyKey, unknown>)[key] : undefined;
    const name = String(key);
    const isIndex = Array.isArray(around) && /^\d{1,9}$/.test(name);
    isShown &&= exists || isIndex || ((isContainer || around === undefined) && !isPartOf(name, secrets));
    return isShown ? name : HIDDEN_NAME;
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
    ...listOf('keys', details['keys'], (name) => (isKey(name) ? printable(name as string) : HIDDEN_NAME)),
  ];
  return [
    rule ?? (found === undefined ? 'is missing' : 'is refused'),
    ...ASKED.flatMap(named),
    ...listed,
    ...branchesOf(details, secrets),
  ].join(', ');
}

function listOf(name: string, list: unknown, text: (value: unknown) => string): string[] {
  const texts = Array.isArray(list) ? list.slice(0, MAX_DESCRIBED).map(text) : [];
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
  const rules = first.slice(0, MAX_DESCRIBED).flatMap((issue) => {
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
