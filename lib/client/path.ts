import { VaultInvalidPathError } from '../errors/index.js';

const CONTROL = /\p{Cc}/u;
/** Longer than any storage of Vault takes, and short enough for an error message. */
const MAX_LENGTH = 4096;
/** Most paths: nothing to encode and nothing to reject. */
const PLAIN_PATH = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/;

/**
 * One path segment, percent-encoded. Refused before any request exists: empty, `.`, `..`, a slash, control characters,
 * lone surrogates, endless length. Vault decodes `%2F` before it routes, so an encoded slash would be a separator after all.
 *
 * @param what how the value is called in the error message: `roleName`, `username`
 * @throws VaultInvalidPathError
 * @internal
 */
export function encodeSegment(value: string, what: string): string {
  if (typeof value !== 'string' || value === '') throw new VaultInvalidPathError(`${what} is empty. Give a name.`);
  if (value.includes('/'))
    throw new VaultInvalidPathError(`${what} ${quote(value)} contains a slash, which is not part of a name.`);
  return encode(value, value, what);
}

/**
 * A path of several segments, each percent-encoded, joined by `/`.
 *
 * @throws VaultInvalidPathError for leading, trailing and double slashes and for everything `encodeSegment` refuses
 * @internal
 */
export function encodePath(value: string, what: string): string {
  if (typeof value === 'string' && value.length <= MAX_LENGTH && PLAIN_PATH.test(value)) return value;
  if (typeof value !== 'string' || value === '')
    throw new VaultInvalidPathError(`${what} is empty. Give a path such as "my-app".`);
  if (value.startsWith('/')) {
    const names = value.split('/').filter((segment) => segment !== '');
    if (names.length === 0) {
      throw new VaultInvalidPathError(`${what} ${quote(value)} has no name in it. Give a path such as "my-app".`);
    }
    // What is wrong besides would be wrong in the suggestion, too.
    for (const name of names) encode(name, value, what);
    throw new VaultInvalidPathError(`${what} ${quote(value)} starts with a slash. Write ${quote(names.join('/'))}.`);
  }
  const segments = value.split('/');
  return segments.map((segment) => encode(segment, value, what)).join('/');
}

/** A mount path: like `encodePath`, and one trailing slash is forgiven because Vault prints mounts that way. @internal */
export function encodeMount(value: string, what = 'mountPath'): string {
  return encodePath(withoutTrailingSlash(value), what);
}

/** A path to list, as Vault prints folders: with a slash at the end, or without. @internal */
export function withoutTrailingSlash(value: string): string {
  return typeof value === 'string' ? value.replace(/\/$/, '') : value;
}

/**
 * Checks an already encoded API path, as it comes out of node-vault's own commands, where names have been pasted into
 * templates unencoded.
 * @internal
 */
export function checkEncodedPath(path: string): void {
  if (/[\s#\\]/.test(path) || CONTROL.test(path) || path.includes('&#')) {
    throw new VaultInvalidPathError(
      `The path ${quote(path)} contains a character that has a meaning of its own in an address.`,
    );
  }
  for (const segment of path.split('/')) {
    let plain: string;
    try {
      plain = decodeURIComponent(segment);
    } catch {
      throw new VaultInvalidPathError(`The path ${quote(path)} is not percent-encoded correctly.`);
    }
    encode(plain, path, 'The path');
    if (plain.includes('/'))
      throw new VaultInvalidPathError(`The path ${quote(path)} hides a slash in one of its names.`);
  }
}

function encode(segment: string, whole: string, what: string): string {
  if (whole.length > MAX_LENGTH) {
    throw new VaultInvalidPathError(`${what} ${quote(whole)} is longer than ${MAX_LENGTH} characters.`);
  }
  if (segment === '') {
    throw new VaultInvalidPathError(
      `${what} ${quote(whole)} has an empty segment (a double or trailing slash). Remove it.`,
    );
  }
  if (segment === '.' || segment === '..') {
    throw new VaultInvalidPathError(
      `${what} ${quote(whole)} contains "${segment}", which could lead to another path. Write the full path.`,
    );
  }
  if (CONTROL.test(segment)) {
    throw new VaultInvalidPathError(
      `${what} ${quote(whole)} contains a control character. Check for a stray line break.`,
    );
  }
  try {
    return encodeURIComponent(segment);
  } catch {
    throw new VaultInvalidPathError(`${what} is not valid Unicode.`);
  }
}

function quote(value: string): string {
  const shown = value.length > 120 ? `${value.slice(0, 120)}…` : value;
  return JSON.stringify(shown);
}
