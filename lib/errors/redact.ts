import { decodings, readable } from './decodings.js';

// `s.` and `b.` are OpenBao's and old Vault's prefixes; the length keeps ordinary words such as "s.th" out.
const TOKEN_PATTERN = /\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{16,}/g;
const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const UNPRINTABLE = /[\p{Cc}\u2028\u2029]+/gu;
const MIN_LENGTH = 4;
/** Numbers of that length are versions and counts. */
const SHORT = /^(?=.*\D)[^\s]{1,3}$/u;
const MIN_LINE_LENGTH = 8;
/** So many characters in a row of a secret are a part of it that must not be shown. */
const WINDOW = 8;
const MAX_INPUT_LENGTH = 1024;
const MAX_TEXT_LENGTH = 300;
/** What is looked for: beyond it, the work would block the event loop. */
const MAX_SECRETS = 1000;
const MAX_ECHOED = 100;
const MAX_SECRETS_LENGTH = 32 * 1024;
/** Parameters of Vault's API: the names of a body that its errors are about. */
const API_NAME = /^[a-z]+\d{0,3}(?:_[a-z0-9]{1,16})*$/;

/**
 * Makes text that a server sent fit for an error message.
 *
 * Every secret of the request is blanked out: as it was, each line of a long one, and as JSON, HTML, a URL or base64
 * would write it, in any case; one of less than four characters only where it stands alone. If eight characters in a row of
 * a secret are left then, in any usual encoding, nothing of the text is: see ADR 32. So it is with more secrets than can
 * be looked for without blocking the event loop. Anything that looks like a token is blanked out, control characters become
 * spaces, and long text is cut.
 *
 * @param known what the error says anyway, such as the path: it may be a part of a secret
 * @internal
 */
export function redact(text: string, secrets: readonly string[] = [], known = ''): string {
  const clean = secrets.length === 0 ? text.slice(0, MAX_INPUT_LENGTH) : withoutSecrets(text, secrets, known);
  const printable = clean.replace(TOKEN_PATTERN, '***').replace(UNPRINTABLE, ' ').trim();
  return printable.length > MAX_TEXT_LENGTH ? `${printable.slice(0, MAX_TEXT_LENGTH)}…` : printable;
}

function withoutSecrets(text: string, secrets: readonly string[], known: string): string {
  const index = indexOf(secrets);
  if (index === undefined) return '';
  const original = text.slice(0, MAX_INPUT_LENGTH);
  const windows = windowsOf(original);
  // No form of a secret is shorter than the secret.
  const whole = index.long.filter(({ secret }) => secret.length <= original.length);
  const echoed = whole.filter(({ text: read }) => sharesWindow(read, windows)).map(({ secret }) => secret);
  // Where so many are quoted in part, there is nothing to show, and much to search.
  if (echoed.length > MAX_ECHOED) return '';
  const searched = inSmallLetters(original);
  // Longest first: a short secret that is part of a long one must not leave the rest of it standing.
  const forms = [...new Set([...index.short, ...echoed].flatMap((secret) => formsIn(index, secret)))]
    .filter((form) => form.length >= MIN_LENGTH && searched.includes(form))
    .sort((a, b) => b.length - a.length);
  let clean = original;
  for (const form of forms) clean = blankOut(clean, form);
  for (const secret of index.alone) clean = blankOut(clean, secret, true);
  return isEchoed(clean === original ? windows : windowsOf(clean), index, known) ? '' : clean;
}

/** The forms of a secret in small letters, made when it is first found. */
function formsIn({ forms }: SecretIndex, secret: string): readonly string[] {
  let found = forms.get(secret);
  if (found === undefined) forms.set(secret, (found = formsOf(secret).map(inSmallLetters)));
  return found;
}

/** Whether a part of a secret is left that is not known anyway. */
function isEchoed(windows: ReadonlySet<string>, index: SecretIndex, known: string): boolean {
  const parts = [...windows].filter((part) => index.windows.has(part));
  if (parts.length === 0) return false;
  const harmless = readable(known);
  return parts.some((part) => !harmless.includes(part));
}

/** What is looked for in the texts of one response. */
interface SecretIndex {
  /** Those that fill a window, with their lines. */
  readonly long: readonly { readonly secret: string; readonly text: string }[];
  readonly short: readonly string[];
  /** Those blanked out only where they stand alone. */
  readonly alone: readonly string[];
  readonly windows: ReadonlySet<string>;
  readonly forms: Map<string, readonly string[]>;
}

const indexes = new WeakMap<readonly string[], SecretIndex | undefined>();

/** Made once for all texts of a response; `undefined` when it would be too large. */
function indexOf(secrets: readonly string[]): SecretIndex | undefined {
  if (!indexes.has(secrets)) indexes.set(secrets, createIndex(secrets));
  return indexes.get(secrets);
}

function createIndex(secrets: readonly string[]): SecretIndex | undefined {
  const distinct = new Set<string>();
  let length = 0;
  for (const secret of secrets) {
    if (distinct.has(secret)) continue;
    distinct.add(secret);
    length += secret.length;
    if (length > MAX_SECRETS_LENGTH || distinct.size > MAX_SECRETS) return undefined;
  }
  const all = [...distinct].flatMap((secret) => [secret, ...linesOf(secret)]);
  if (all.length > MAX_SECRETS) return undefined;
  const long: SecretIndex['long'][number][] = [];
  const short: string[] = [];
  const windows = new Set<string>();
  for (const secret of all) {
    if (secret.length < MIN_LENGTH) continue;
    const text = readable(secret);
    if (text.length < WINDOW) short.push(secret, secret.trim(), secret.normalize('NFC'), secret.normalize('NFD'));
    else long.push({ secret, text });
    for (const part of windowsIn(text)) windows.add(part);
  }
  return { long, short, alone: [...distinct].filter((secret) => SHORT.test(secret)), windows, forms: new Map() };
}

/** All windows of a text and of what it may stand for. */
function windowsOf(text: string): Set<string> {
  const windows = new Set<string>();
  for (const decoded of decodings(text)) for (const part of windowsIn(decoded)) windows.add(part);
  return windows;
}

function* windowsIn(text: string): Iterable<string> {
  for (let end = WINDOW; end <= text.length; end += 1) yield text.slice(end - WINDOW, end);
}

function sharesWindow(text: string, windows: ReadonlySet<string>): boolean {
  for (const part of windowsIn(text)) if (windows.has(part)) return true;
  return false;
}

/**
 * Every string and number found in a request body, as text: what `redact` has to blank out of a response to it.
 *
 * @param withNames also the names of its keys, except those that look like parameters of Vault's API
 * @internal
 */
export function secretsOf(body: unknown, withNames = false): string[] {
  const found: string[] = [];
  const queue: unknown[] = [body];
  const seen = new Set<unknown>();
  while (queue.length > 0 && found.length <= MAX_SECRETS) {
    const value = queue.pop();
    if (typeof value === 'string' || typeof value === 'number') found.push(String(value));
    else if (typeof value === 'object' && value !== null && !seen.has(value)) {
      seen.add(value);
      for (const entry of Object.values(value)) queue.push(entry);
      if (withNames && !Array.isArray(value)) found.push(...Object.keys(value).filter(isSecretName));
    }
  }
  return found;
}

/**
 * The same of a body as JSON text. One that is too large to be looked for is its own only secret, of which `redact` makes
 * that nothing of the response is shown.
 *
 * @internal
 */
export function secretsOfJson(body: string | undefined): string[] {
  if (body === undefined) return [];
  return body.length > MAX_SECRETS_LENGTH ? [body] : secretsOf(JSON.parse(body), true);
}

function isSecretName(name: string): boolean {
  return name.length >= WINDOW && !API_NAME.test(name);
}

/** Keys and certificates are quoted line by line. */
function linesOf(secret: string): string[] {
  if (!secret.includes('\n')) return [];
  // Not split at spaces and line breaks together: that takes quadratic time, and a secret could block the process.
  const lines = secret.split('\n').map((line) => line.trim());
  return lines.filter(({ length }) => length >= MIN_LINE_LENGTH);
}

/** By hand: an expression made of a secret could fail, and would tell it then. */
function blankOut(text: string, form: string, alone = false): string {
  if (form.length > text.length) return text;
  const haystack = inSmallLetters(text);
  const needle = inSmallLetters(form);
  let clean = '';
  let end = 0;
  for (let at = haystack.indexOf(needle); at >= 0; at = haystack.indexOf(needle, at + 1)) {
    const after = at + needle.length;
    if (at < end || (alone && (isWord(text[at - 1]) || isWord(text[after])))) continue;
    clean += `${text.slice(end, at)}***`;
    end = after;
  }
  return clean + text.slice(end);
}

/** Those of ASCII only: others may change the length. */
function inSmallLetters(text: string): string {
  return text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}

function isWord(character = ''): boolean {
  return /[\p{L}\p{N}]/u.test(character);
}

/** A secret as text, in JSON, in JSON as Go writes it, in HTML, in two kinds of URLs, in base64 and in hex. */
function formsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const go = json.replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
  const url = encodeURIComponent(secret.replace(/\p{Cs}/gu, '\ufffd'));
  const query = url
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
  const html = secret.replace(/[&<>]/g, (character) => HTML[character] as string);
  const quoted = [
    html.replaceAll('"', '&#34;').replaceAll("'", '&#39;'),
    html.replaceAll('"', '&quot;').replaceAll("'", '&#x27;'),
  ];
  const bytes = Buffer.from(secret);
  const base64 = [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')];
  return [secret, json, go, url, query, ...quoted, ...base64, bytes.toString('hex')];
}

/** Classes of the platform. The name of any other class, or one that was assigned, may hold anything. */
const PLATFORM_ERRORS = new Set(
  'Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError AbortError TimeoutError AssertionError'.split(
    ' ',
  ),
);

/** The kind of an error that other code has thrown: its message may quote anything. @internal */
export function failureKind(failure: unknown): string {
  try {
    if (!(failure instanceof Error)) return typeof failure;
    const name: unknown = failure.name;
    if (typeof name !== 'string') return typeof name;
    return PLATFORM_ERRORS.has(name) || /^Vault[A-Za-z]{1,30}Error$/.test(name) ? name : 'Error';
  } catch {
    return 'unknown';
  }
}
