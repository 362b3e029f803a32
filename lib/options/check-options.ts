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

/** @internal */
export const anything = (): undefined => undefined;

/**
 * Refuses unknown options and wrong types. Values are never quoted: an option may be a secret in the wrong place.
 *
 * @throws VaultInvalidOptionError naming the option and what is known
 * @internal
 */
export function checkOptions(options: unknown, shape: Shape, path = ''): void {
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
    if (typeof check === 'object') checkOptions(value, check, full);
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
