import { VaultInvalidOptionError } from '../errors/index.js';

/** What an option may be: a type, or the options inside it. @internal */
export type Shape = { readonly [option: string]: Check };
type Check = Shape | ((value: unknown) => string | undefined);

/** A check by `typeof`; the result says what the value should have been. @internal */
export const is =
  (type: 'string' | 'boolean' | 'object' | 'function') =>
  (value: unknown): string | undefined =>
    typeof value === type && value !== null ? undefined : `${type === 'object' ? 'an' : 'a'} ${type}`;

/** Milliseconds or a count: finite, above zero, and within what a timer can hold. @internal */
export const positive = (value: unknown): string | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 && value <= 2 ** 31 - 1
    ? undefined
    : 'a number above 0 (and below 2 147 483 648)';

/** A count that may be nothing. @internal */
export const wholeNumber = (value: unknown): string | undefined =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32
    ? undefined
    : 'a whole number from 0 (and below 2^32)';

/** What goes into an HTTP header as it is. @internal */
export const headerText = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[\x20-\x7e]*$/.test(value)
    ? undefined
    : 'a string of printable ASCII characters, without line breaks';

/** A Vault namespace. HTTP drops white space around the value of a header, so such a namespace would become another one, or none. @internal */
export const namespaceText = (value: unknown): string | undefined =>
  headerText(value) === undefined && (value as string).trim() === value
    ? undefined
    : 'a string of printable ASCII characters, without line breaks and without white space around it';

/** What should have been a number, for a message. @internal */
export const numberText = (value: unknown): string =>
  typeof value === 'number' || typeof value === 'string' ? String(value) : `of type ${typeof value}`;

/** Whether a value is an object of names and values, and not one that keeps them elsewhere, as a list, a `Map` and `Headers` do. @internal */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !(Symbol.iterator in value);

/**
 * The named options of a call, as far as they are given; nothing else of the object is looked at.
 *
 * @throws VaultInvalidOptionError when it is no object of options, or a getter of it throws
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

/** @throws VaultInvalidOptionError in place of what a getter throws, which may hold anything */
function readProperty(object: object, key: string, name: string): unknown {
  try {
    return (object as Record<string, unknown>)[key];
  } catch {
    throw new VaultInvalidOptionError(`"${name}" cannot be read: its getter throws.`);
  }
}

/** Options are nested less deep; what is deeper belongs to values such as schemas. */
const MAX_OPTION_DEPTH = 8;

/**
 * Reads every option once, so that one with a getter that throws is found here and nowhere else.
 *
 * @throws VaultInvalidOptionError naming the option
 * @internal
 */
export function assertReadable(options: unknown, path = '', depth = 0): void {
  if (typeof options !== 'object' || options === null || depth > MAX_OPTION_DEPTH || ArrayBuffer.isView(options))
    return;
  let names: string[];
  try {
    // Schemas and instances of classes are read by those who know them.
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
  // Of another realm, too.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** @internal */
export const anything = (): undefined => undefined;

/**
 * Refuses unknown options and wrong types. Values are never quoted: an option may be a secret in the wrong place.
 *
 * @throws VaultInvalidOptionError naming the option and what is known
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
    if (check === undefined) throw unknown(full, name, shape);
    if (value === undefined) continue;
    if (typeof check === 'object') checkShape(value, check, full);
    else {
      const expected = check(value);
      if (expected !== undefined) throw new VaultInvalidOptionError(`"${full}" must be ${expected}.`);
    }
  }
}

/** What options are called elsewhere. */
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

function unknown(full: string, name: string, shape: Shape): VaultInvalidOptionError {
  const lower = name.toLowerCase();
  const known = Object.keys(shape);
  const close =
    known.find((candidate) => distance(candidate.toLowerCase(), lower) <= 2) ??
    pathTo(name, shape) ??
    pathTo(Object.hasOwn(SYNONYMS, lower) ? SYNONYMS[lower] : undefined, shape) ??
    (lower.length > 3 ? known.find((candidate) => candidate.toLowerCase().includes(lower)) : undefined);
  return new VaultInvalidOptionError(
    `"${full}" is not an option.${close ? ` Did you mean "${close}"?` : ''} Known: ${known.join(', ')}.`,
  );
}

/** Where an option of that name is: `sources` at the top level is `config.sources`. */
function pathTo(name: string | undefined, shape: Shape): string | undefined {
  if (name === undefined) return undefined;
  if (Object.hasOwn(shape, name)) return name;
  for (const [group, inner] of Object.entries(shape)) {
    const path = typeof inner === 'object' ? pathTo(name, inner) : undefined;
    if (path !== undefined) return `${group}.${path}`;
  }
  return undefined;
}

/** Edit distance, for "did you mean". */
function distance(a: string, b: string): number {
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

/** A check for options that are one of a few words. @internal */
export const oneOf =
  (...words: readonly string[]) =>
  (value: unknown): string | undefined =>
    words.includes(value as string) ? undefined : `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`;

/** A check for names that are sent as they are: text, and not empty. @internal */
export const name = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? undefined : 'a string that is not empty';

/**
 * Refuses options that belong to another type of the same login method: they would be ignored without a word.
 *
 * @param optionsOf the options of each type that not all have
 * @throws VaultInvalidOptionError naming the option and the type it is for
 * @internal
 */
export function assertNoForeignOptions(
  auth: { readonly method: string },
  type: string,
  optionsOf: Readonly<Record<string, readonly string[]>>,
): void {
  const own = optionsOf[type] ?? [];
  for (const [other, options] of Object.entries(optionsOf)) {
    const misplaced = options.find(
      (option) => !own.includes(option) && (auth as Record<string, unknown>)[option] !== undefined,
    );
    if (misplaced === undefined) continue;
    throw new VaultInvalidOptionError(
      `"auth.${misplaced}" is for type "${other}" of the method "${auth.method}", and the type here is "${type}". Set "auth.type" or leave the option out.`,
    );
  }
}
