import { randomUUID } from 'node:crypto';
import { VaultBadResponseError } from '../errors/index.js';
import { redact } from '../errors/redact.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';

/** What every number that a double might not keep looks like, after what may stand before a number: fast, and too often true. */
const SUSPICIOUS = /[:,[\s]-?\d[\d.]*(?:[eE]|[\d.]{15})/;
const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
const SHORT_NUMBER = /^-?[\d.]{1,15}$/;
/** The longest decimal form of a double that anything writes is shorter. */
const MAX_NUMBER_LENGTH = 400;
const MAX_NAMED_KEYS = 5;
const QUOTE = 0x22;
const MINUS = 0x2d;
const BACKSLASH = 0x5c;

/** Whether a JSON text may hold a number that `JSON.parse` alters. @internal */
export function mayHoldInexactNumber(text: string): boolean {
  return SUSPICIOUS.test(text);
}

/**
 * Checks that every number of a part of a response is the one the server sent. JavaScript keeps whole numbers up to 2^53 and
 * fractions of 15 to 17 digits; `JSON.parse` rounds all others, and turns what is too large into Infinity, without an error.
 *
 * @param part keys that lead to it: what is beside it may hold any number
 * @throws VaultBadResponseError naming the keys, never a value
 * @internal
 */
export function assertExactNumbers(
  { text, status }: VaultResponse,
  part: readonly string[],
  { operation, path }: Pick<VaultRequest, 'operation' | 'path'>,
): void {
  if (text === undefined) return;
  const keys = inexactNumbers(text, part);
  if (keys.length === 0) return;
  const names = keys.slice(0, MAX_NAMED_KEYS).map((key) => JSON.stringify(redact(key)));
  const more = keys.length > MAX_NAMED_KEYS ? ' and more' : '';
  throw new VaultBadResponseError(
    `Cannot ${operation ?? path}: JavaScript cannot hold the number in ${names.join(', ')}${more} exactly. ` +
      'Store it as text: in quotes in JSON, or with "bao kv put", which stores text.',
    { operation, path, statusCode: status, reason: 'inexact-number' },
  );
}

/**
 * The keys of the numbers in a part of a JSON text that `JSON.parse` alters, dots between containers; of many, the first few.
 * @internal
 */
export function inexactNumbers(text: string, part: readonly string[]): string[] {
  const mark = randomUUID();
  const marked = markInexact(text, mark);
  if (marked === undefined) return [];
  const root = JSON.parse(marked) as unknown;
  const start = part.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], root);
  return placesOf(start, mark);
}

/** The text with `mark` in place of each such number; `undefined` when there is none. */
function markInexact(text: string, mark: string): string | undefined {
  let marked = '';
  let copied = 0;
  let index = 0;
  while (index < text.length) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) index = afterString(text, index);
    else if (code === MINUS || isDigit(code)) {
      const start = index;
      while (index < text.length && isPartOfNumber(text.charCodeAt(index))) index += 1;
      if (!isExact(text.slice(start, index))) {
        marked += `${text.slice(copied, start)}"${mark}"`;
        copied = index;
      }
    } else index += 1;
  }
  return copied === 0 ? undefined : marked + text.slice(copied);
}

/** Where the string that begins at `start` is over. No expression does this: for a string of some megabytes it runs out of stack. */
function afterString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 1) return end + 1;
  }
  return text.length;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Digits and `+`, `-`, `.`, `E`, `e`. */
function isPartOfNumber(code: number): boolean {
  return isDigit(code) || code === 0x2b || code === MINUS || code === 0x2e || code === 0x45 || code === 0x65;
}

/** Whether a number of JSON is the same after `JSON.parse`, and is written out with the same digits. */
function isExact(number: string): boolean {
  if (SHORT_NUMBER.test(number)) return true;
  if (number.length > MAX_NUMBER_LENGTH) return false;
  const value = Number(number);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return false;
  return Number.isFinite(value) && decimalOf(number) === decimalOf(String(value));
}

/** The digits that count, and the power of ten of the last one. */
function decimalOf(number: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(number) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  let end = digits.length;
  while (digits[end - 1] === '0') end -= 1;
  return end === 0 ? '0' : `${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

/** The paths of the values that equal `mark`. By hand, since the nesting may be deeper than the stack. */
function placesOf(root: unknown, mark: string): string[] {
  interface Place {
    readonly value: unknown;
    readonly key: string;
    readonly parent: Place | undefined;
  }
  const found: string[] = [];
  const open: Place[] = [{ value: root, key: '', parent: undefined }];
  for (let place = open.pop(); place && found.length <= MAX_NAMED_KEYS; place = open.pop()) {
    if (place.value === mark) {
      const keys: string[] = [];
      for (let at: Place | undefined = place; at?.parent; at = at.parent) keys.push(at.key);
      found.push(keys.reverse().join('.'));
    } else if (typeof place.value === 'object' && place.value !== null) {
      const entries = Object.entries(place.value);
      for (let index = entries.length - 1; index >= 0; index -= 1) {
        const [key, value] = entries[index] as [string, unknown];
        open.push({ value, key, parent: place });
      }
    }
  }
  return found;
}
