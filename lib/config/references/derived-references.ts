import { textsIn } from '../plain.js';
import { hasReferenceForm } from './reference-syntax.js';

const CORE = /(?:\$\{\s*)?vault:[^\s#?${}]*(?:#[^\s#?${}]*)*/gi;
const HEAD = /^(?:\$\{\s*)?vault:/i;
/** With one of these, a part of a reference decides which secret it names. */
const STRUCTURE = /[/#?:]/;
/** A single character is in every text. */
const MIN_LENGTH = 2;

/**
 * Whether a value has references that were made out of the values of secrets: as they are, put together, or decoded. They
 * must not be resolved, because the writer of one secret would choose which other one is read. Derivations that cannot be
 * recognized in the text, such as decryption, are not found.
 *
 * @param secrets texts that were at hand when the value was made
 * @internal
 */
export function hasDerivedReferences(value: unknown, secrets: Iterable<string>): boolean {
  const texts = textsIn(value).filter(hasReferenceForm);
  if (texts.length === 0) return false;
  const known = [...new Set(secrets)].filter(({ length }) => length >= MIN_LENGTH).map(describe);
  return texts.some((text) => known.some((secret) => isDerived(text, secret)));
}

function describe(secret: string) {
  let decoded: readonly string[] | undefined;
  return { secret, isStructured: STRUCTURE.test(secret), decoded: () => (decoded ??= decodings(secret)) };
}

function isDerived(text: string, { secret, isStructured, decoded }: ReturnType<typeof describe>): boolean {
  for (const { index, 0: core } of text.matchAll(CORE)) {
    const head = HEAD.exec(core)?.[0].length ?? 0;
    if (overlaps(text, secret, index, index + (isStructured ? core.length : head))) return true;
    const body = core.slice(core.toLowerCase().indexOf('vault:')).toLowerCase();
    if (decoded().some((other) => other.includes(body))) return true;
  }
  return false;
}

/** Whether the secret is in the text in a place that is partly between these two. */
function overlaps(text: string, secret: string, start: number, end: number): boolean {
  const found = text.indexOf(secret, Math.max(0, start - secret.length + 1));
  return found !== -1 && found < end;
}

function decodings(secret: string): string[] {
  const unescaped = secret.replace(/\\u([0-9a-f]{4})|\\u\{0*([0-9a-f]{1,6})\}|\\x([0-9a-f]{2})/gi, (_, ...codes) => {
    const code = parseInt(codes.find((part) => typeof part === 'string') as string, 16);
    return code > 0x10ffff ? '' : String.fromCodePoint(code);
  });
  const bytes = [Buffer.from(secret, 'base64'), Buffer.from(secret, 'hex')].map((decoded) => decoded.toString('utf8'));
  const percent = secret.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  // JSON may escape the slashes.
  return [secret, unescaped, ...bytes, percent].map((text) => text.replaceAll('\\/', '/').toLowerCase());
}
