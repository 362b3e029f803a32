import { VaultInvalidOptionError } from '../errors/index.js';
import { MAX_TIMER_MS } from '../lifetime/clock.js';

/** Known options: a check for each, or the shape of the options nested in it. @internal */
export type Shape = { readonly [option: string]: Check };
/** A check returns what the value should have been, or `undefined` if it is valid. */
type Check = Shape | ((value: unknown) => string | undefined);

/** Checks the type of a value. @internal */
export const typeOf =
  (type: 'string' | 'boolean' | 'object' | 'function') =>
  (value: unknown): string | undefined =>
    typeof value === type && value !== null ? undefined : `${type === 'object' ? 'an' : 'a'} ${type}`;

/** Checks for a number above zero that a timer can hold. @internal */
export const positiveNumber = (value: unknown): string | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 && value <= MAX_TIMER_MS
    ? undefined
    : 'a number above 0 (and below 2 147 483 648)';

/** Checks for a whole number from zero. @internal */
export const wholeNumber = (value: unknown): string | undefined =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32
    ? undefined
    : 'a whole number from 0 (and below 2^32)';

/** Checks for text that can be sent as an HTTP header value. @internal */
export const headerText = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[\x20-\x7e]*$/.test(value)
    ? undefined
    : 'a string of printable ASCII characters, without line breaks';

/** Checks for a Vault namespace. HTTP trims header values, so surrounding white space would select another namespace. @internal */
export const namespaceText = (value: unknown): string | undefined =>
  headerText(value) === undefined && (value as string).trim() === value
    ? undefined
    : 'a string of printable ASCII characters, without line breaks and without white space around it';

/** Describes a value that is not a valid number, for errors. @internal */
export const describeNumber = (value: unknown): string =>
  typeof value === 'number' || typeof value === 'string' ? String(value) : `of type ${typeof value}`;

/** Whether a value is an object with named properties, not an array, a `Map`, `Headers` or another iterable. @internal */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !(Symbol.iterator in value);

/**
 * Reads the named options of a call that are set, and no other property.
 *
 * @throws VaultInvalidOptionError if `options` is not an object or a getter throws
 * @internal
 */
export function readOptions<O extends object, K extends keyof O & string>(
  options: O | null | undefined,
  names: readonly K[],
): Partial<Pick<O, K>> {
  if (options === undefined || options === null) return {};
  if (!isRecord(options)) throw new VaultInvalidOptionError('The options of a call must be an object.');
  return Object.fromEntries(
    names.map((name) => [name, readProperty(options, name, name)]).filter(([, value]) => value !== undefined),
  ) as Partial<Pick<O, K>>;
}

/** @throws VaultInvalidOptionError if a getter throws, without its message, which may contain a secret */
function readProperty(object: object, key: string, name: string): unknown {
  try {
    return (object as Record<string, unknown>)[key];
  } catch {
    throw new VaultInvalidOptionError(`"${name}" cannot be read: its getter throws.`);
  }
}

/** No option is nested deeper; anything below belongs to a value such as a schema. */
const MAX_OPTION_DEPTH = 8;

/**
 * Reads every option once, so that a getter that throws fails here and nowhere else.
 *
 * @throws VaultInvalidOptionError naming the option
 * @internal
 */
export function assertReadable(options: unknown, path = '', depth = 0): void {
  if (typeof options !== 'object' || options === null || depth > MAX_OPTION_DEPTH || ArrayBuffer.isView(options))
    return;
  let names: string[];
  try {
    // Schemas and class instances are left to the code that uses them.
    if ('~standard' in options || (depth > 0 && !Array.isArray(options) && !isPlain(options))) return;
    names = Object.keys(options);
  } catch {
    throw new VaultInvalidOptionError(`${path === '' ? 'The options' : `"${path}"`} cannot be read.`);
  }
  for (const name of names) {
    const inner = path === '' ? name : Array.isArray(options) ? `${path}[${name}]` : `${path}.${name}`;
    assertReadable(readProperty(options, name, inner), inner, depth + 1);
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Also true for an object of another realm.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Accepts any value. @internal */
export const unchecked = (): undefined => undefined;

/**
 * Checks that all options are known and valid. Values are never quoted: one may be a secret in the wrong place.
 *
 * @throws VaultInvalidOptionError naming the option and the known ones
 * @internal
 */
export function checkOptions(options: unknown, shape: Shape, path = ''): void {
  assertReadable(options, path);
  checkShape(options, shape, path);
}

function checkShape(options: unknown, shape: Shape, path: string): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    if (path !== '') {
      const defaults = options === true ? ' For the defaults, write {}.' : '';
      throw new VaultInvalidOptionError(
        `"${path}" must be an object.${defaults} Known: ${Object.keys(shape).join(', ')}.`,
      );
    }
    const hint = options === undefined ? ' They are undefined: does the factory return them?' : '';
    throw new VaultInvalidOptionError(`The options of VaultModule must be an object.${hint}`);
  }
  for (const [name, value] of Object.entries(options)) {
    const full = path === '' ? name : `${path}.${name}`;
    const check = Object.hasOwn(shape, name) ? shape[name] : undefined;
    if (check === undefined) throw unknownOptionError(full, name, shape);
    if (value === undefined) continue;
    if (typeof check === 'object') checkShape(value, check, full);
    else {
      const expected = check(value);
      if (expected !== undefined) throw new VaultInvalidOptionError(`"${full}" must be ${expected}.`);
    }
  }
}

/** Names that other libraries use for the same option. */
const SYNONYMS: Readonly<Record<string, string>> = {
  address: 'endpoint',
  addr: 'endpoint',
  url: 'endpoint',
  host: 'endpoint',
  server: 'endpoint',
  token: 'auth',
  timeout: 'timeoutMs',
  secrets: 'sources',
  paths: 'sources',
  path: 'secretPath',
  secret: 'secretPath',
  mount: 'mountPath',
};

function unknownOptionError(full: string, name: string, shape: Shape): VaultInvalidOptionError {
  const lower = name.toLowerCase();
  const known = Object.keys(shape);
  const close =
    known.find((candidate) => editDistance(candidate.toLowerCase(), lower) <= 2) ??
    findOption(name, shape) ??
    findOption(Object.hasOwn(SYNONYMS, lower) ? SYNONYMS[lower] : undefined, shape) ??
    (lower.length > 3 ? known.find((candidate) => candidate.toLowerCase().includes(lower)) : undefined);
  return new VaultInvalidOptionError(
    `"${full}" is not an option.${close ? ` Did you mean "${close}"?` : ''} Known: ${known.join(', ')}.`,
  );
}

/** Path of the option with this name: `config.sources` for `sources`. */
function findOption(name: string | undefined, shape: Shape): string | undefined {
  if (name === undefined) return undefined;
  if (Object.hasOwn(shape, name)) return name;
  for (const [group, inner] of Object.entries(shape)) {
    const path = typeof inner === 'object' ? findOption(name, inner) : undefined;
    if (path !== undefined) return `${group}.${path}`;
  }
  return undefined;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Checks for one of the given words. @internal */
export const oneOf =
  (...words: readonly string[]) =>
  (value: unknown): string | undefined =>
    words.includes(value as string) ? undefined : `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`;

/** Checks for text that is not blank. @internal */
export const nonEmptyString = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? undefined : 'a string that is not empty';

/**
 * Asserts that no option belongs to another type of the same login method, where it would be silently ignored.
 *
 * @param optionsByType for each type, the options that not every type has
 * @throws VaultInvalidOptionError naming the option and its type
 * @internal
 */
export function assertNoForeignOptions(
  auth: { readonly method: string },
  type: string,
  optionsByType: Readonly<Record<string, readonly string[]>>,
): void {
  const own = optionsByType[type] ?? [];
  for (const [other, options] of Object.entries(optionsByType)) {
    const misplaced = options.find(
      (option) => !own.includes(option) && (auth as Record<string, unknown>)[option] !== undefined,
    );
    if (misplaced === undefined) continue;
    throw new VaultInvalidOptionError(
      `"auth.${misplaced}" is for type "${other}" of the method "${auth.method}", and the type here is "${type}". Set "auth.type" or leave the option out.`,
    );
  }
}
