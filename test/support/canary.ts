import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';

export { renderError } from './render-error.js';

/** A secret that was found where no secret may be. */
export interface Leak {
  readonly name: string;
  /** The forms it was found in. */
  readonly forms: readonly string[];
  /** The text around the first place, with the names of secrets in place of secrets. */
  readonly near: string;
}

// What is searched: the text itself, the text in lower case, or that without white space. The last one is for bytes, which
// `inspect` and indented JSON spread over columns and lines.
type View = 'text' | 'folded' | 'compact';

interface Form {
  readonly form: string;
  readonly needle: string;
  readonly view: View;
}

const MINIMUM_LENGTH = 8;
const CONTEXT = 60;

const tracked: { name: string; secret: string; forms: Form[] }[] = [];

/** Makes a secret that can be recognized wherever it turns up, even in part. The name says where it was put. */
export function canary(name: string): string {
  if (!/^[a-z0-9-]+$/i.test(name)) throw new Error(`A canary's name has letters, digits and hyphens only: "${name}".`);
  // Random on both sides, so that each half belongs to one canary only.
  const random = (): string => randomBytes(6).toString('hex');
  return track(name, `CANARY-${random()}-${name}-${random()}`);
}

/** Watches a secret that exists already: a token the server issued, a password with characters that get escaped. */
export function track(name: string, secret: string): string {
  if (secret.length < MINIMUM_LENGTH) throw new Error(`The secret "${name}" is too short to be told from other text.`);
  tracked.push({ name, secret, forms: formsOf(secret) });
  return secret;
}

/** Forgets all secrets, for tests that share a file. */
export function forgetCanaries(): void {
  tracked.length = 0;
}

/** Which of the secrets occur in a text: as they are, in half, or in any usual encoding. */
export function findLeaks(text: string): Leak[] {
  const folded = text.toLowerCase();
  const views: Record<View, string> = { text, folded, compact: folded.replace(/\s+/g, '') };
  return tracked.flatMap(({ name, forms }) => {
    const found = forms.filter(({ needle, view }) => views[view].includes(needle));
    const first = found[0];
    if (first === undefined) return [];
    const at = views[first.view].indexOf(first.needle);
    const around = views[first.view].slice(Math.max(0, at - CONTEXT), at + first.needle.length + CONTEXT);
    return [{ name, forms: found.map(({ form }) => form), near: mask(around, name, first.needle) }];
  });
}

/** What anybody who may look at this process sees: environment, arguments, and Node's diagnostic report, as JSON. */
export function snapshotProcess(): string {
  const { env, argv, execArgv, title } = process;
  return JSON.stringify({ env, argv, execArgv, title, report: process.report.getReport() });
}

function formsOf(secret: string): Form[] {
  const bytes = Buffer.from(secret);
  const middle = Math.ceil(secret.length / 2);
  const halves = Math.floor(secret.length / 2) < MINIMUM_LENGTH ? [] : [secret.slice(0, middle), secret.slice(-middle)];
  const json = inJson(secret);
  const candidates: [form: string, needle: string, view?: View][] = [
    ['as it is', secret],
    ...halves.map((half, index): [string, string] => [index === 0 ? 'first half' : 'last half', half]),
    ['JSON', json],
    ['JSON in JSON', inJson(json)],
    ['inspect', inspect(secret).slice(1, -1)],
    ['URL component', encodeURIComponent(secret).toLowerCase(), 'folded'],
    ['form', new URLSearchParams([['', secret]]).toString().slice(1).toLowerCase(), 'folded'],
    ['hex', bytes.toString('hex'), 'compact'],
    ['bytes', [...bytes].join(','), 'compact'],
    ...[0, 1, 2].flatMap((offset): [string, string][] => [
      ['base64', base64Core(bytes, offset, 'base64')],
      ['base64url', base64Core(bytes, offset, 'base64url')],
    ]),
  ];
  // A secret without special characters looks the same in several encodings: one form is enough.
  const needles = candidates.map(([, needle]) => needle.toLowerCase());
  return candidates
    .filter((_candidate, index) => needles.indexOf(needles[index] ?? '') === index)
    .map(([form, needle, view = 'text']) => ({ form, needle, view }));
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** The part of a base64 text that depends on these bytes alone, when `offset` (modulo 3) other bytes come before them. */
function base64Core(bytes: Buffer, offset: number, encoding: 'base64' | 'base64url'): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString(encoding)
    .replace(/=+$/, '');
  const mixedStart = offset === 0 ? 0 : offset + 1;
  const mixedEnd = (offset + bytes.length) % 3 === 0 ? 0 : 1;
  return text.slice(mixedStart, text.length - mixedEnd);
}

function mask(text: string, name: string, needle: string): string {
  const masked = text.replaceAll(needle, `«${name}»`);
  return tracked.reduce((rest, other) => rest.replaceAll(other.secret, `«${other.name}»`), masked);
}
