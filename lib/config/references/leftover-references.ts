import type { ReferenceText, VaultReference } from './reference.js';
import { hasReferenceForm, parseReferences } from './reference.js';
import { isProxy } from 'node:util/types';
import { textsIn } from '../plain.js';

/** What all forms of a reference have in common, so that most texts are not looked through. */
const CANDIDATE = /vault(?::|%3a)|#|%23/i;
/** The query of an address. As the default of a reference it would be odd. */
const QUERY = /^[\w.[\]-]+=/;

/**
 * Mount, path and key after `vault:`, somewhere in a text. No part can hold what begins the next one, so that the time is
 * linear.
 */
const COMPLETE = /vault:(?!v\d+:)[^\s#?${}/\\:@"'`]+(?:\/[^\s#?${}/\\:@"'`]+)+#[^\s#?${}/\\:@"'`]+/i;

interface KnownPath {
  /** Forms of the path that nothing else has, normalized. */
  readonly forms: readonly string[];
  /** `path#`, which is a reference only before one of its keys. */
  readonly bare: string;
  readonly references: Map<string, VaultReference>;
}

/**
 * References whose texts are known: those of variables and of what `config.load` makes. Code that concatenates texts before
 * this module sees them, such as `expandVariables`, a shell or a factory, makes longer texts of them, and nothing resolves
 * them there.
 * @internal
 */
export class KnownReferences {
  readonly #paths = new Map<string, KnownPath>();
  /** References that are a whole variable, by their text without the default. */
  readonly #whole = new Map<string, VaultReference[]>();

  get isEmpty(): boolean {
    return this.#paths.size === 0;
  }

  /** @param texts of variables, some with a problem */
  addVariables(texts: Iterable<ReferenceText>): void {
    const found = [...texts];
    this.add(found);
    for (const [only, ...others] of found) {
      if (typeof only !== 'object' || only.problem || others.length > 0) continue;
      this.#whole.set(only.text, [...(this.#whole.get(only.text) ?? []), only]);
    }
  }

  add(texts: Iterable<ReferenceText>): void {
    for (const part of [...texts].flat()) if (typeof part === 'object' && !part.problem) this.#add(part);
  }

  #add(reference: VaultReference): void {
    const [path = '', key = ''] = reference.text.slice('vault:'.length).split('#').map(normalized);
    const form = `vault:${path}`;
    const known = this.#paths.get(path) ?? {
      forms: [form, normalized(encodeURIComponent(`vault:${reference.text.split(/[:#]/)[1]}`))],
      bare: `${path}#`,
      references: new Map<string, VaultReference>(),
    };
    this.#paths.set(path, known);
    if (!known.references.has(key)) known.references.set(key, reference);
  }

  /**
   * As `parseReferences`, with a problem for what is a part of a longer text: outside of a reference it would stay text, and
   * what follows a reference would be taken for its default.
   */
  parse(text: string): ReferenceText | undefined {
    const parts = parseReferences(text) ?? [text];
    for (const part of parts) {
      const reference = typeof part === 'string' ? this.findAny(part) : undefined;
      if (reference) return [{ ...reference, problem: 'inside' }];
    }
    const [only] = parts;
    if (typeof only === 'string' && parts.length === 1) return undefined;
    if (parts.length === 1 && typeof only === 'object' && text.startsWith(only.text) && this.#isExtended(only)) {
      return [{ ...only, problem: 'ambiguous' }];
    }
    return parts;
  }

  /** A reference of which there are remains in a text: in any letter case, cut after its path or before it, escaped, or encoded. */
  find(text: string): VaultReference | undefined {
    if (this.isEmpty || !CANDIDATE.test(text)) return undefined;
    const plain = normalized(text);
    for (const { forms, bare, references } of this.#paths.values()) {
      const inside = plain.includes(bare) ? [...references].filter(([key]) => plain.includes(bare + key)) : [];
      // The longest: "user" is the beginning of "username".
      const [longest] = inside.sort(([one], [other]) => other.length - one.length);
      if (longest) return longest[1];
      const [first] = references.values();
      if (forms.some((form) => plain.includes(form))) return first;
    }
    return undefined;
  }

  /** The same, or any complete reference in a longer text: the variable that it came from need not be there. */
  findAny(text: string): VaultReference | undefined {
    return this.find(text) ?? (CANDIDATE.test(text) ? (completeIn(text) ?? completeIn(normalized(text))) : undefined);
  }

  /** Whether it is another reference with more text after it. */
  #isExtended({ text, fallback, problem }: VaultReference): boolean {
    if (fallback === undefined || problem) return false;
    return (this.#whole.get(text) ?? []).some((other) =>
      other.fallback === undefined
        ? QUERY.test(fallback)
        : fallback.length > other.fallback.length && fallback.startsWith(other.fallback),
    );
  }
}

/** In lower case, without percent-encoding and without the backslashes that JSON and shells put before "/", quotes and "#". */
function normalized(text: string): string {
  return text
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    .toLowerCase()
    .replaceAll('\\', '');
}

function completeIn(text: string): VaultReference | undefined {
  const [found] = COMPLETE.exec(text) ?? [];
  return found === undefined ? undefined : { text: found, path: '', key: '' };
}

/** An object that is still to be looked through, and the way to it. */
interface Container {
  readonly object: object;
  readonly key: string;
  readonly around: Container | undefined;
}

/** Objects of other libraries may be in a configuration, with everything they refer to; they come last. */
const MAX_VALUES_CHECKED = 200_000;

/**
 * Where in an object there are references as text, or what is left of known ones in a longer text, at any depth: instances
 * of classes are looked into as well. What is not simply stored is left alone, because a getter or a proxy may do anything.
 *
 * @param known references whose remains are looked for
 * @param accept whether a text may be what it is
 * @param skipped objects that are not looked into
 * @returns paths
 * @internal
 */
export function unresolvedReferences(
  root: object,
  known: KnownReferences,
  accept: (path: readonly string[], text: string) => boolean,
  skipped: readonly object[] = [],
): (readonly string[])[] {
  const found: (readonly string[])[] = [];
  const queue: Container[] = [{ object: root, key: '', around: undefined }];
  const seen = new Set<object>([root, ...skipped]);
  let left = MAX_VALUES_CHECKED;
  for (const container of queue) {
    for (const key of Object.keys(container.object)) {
      if (left-- === 0) return found;
      const value: unknown = Object.getOwnPropertyDescriptor(container.object, key)?.value;
      if (typeof value === 'string') {
        if (!hasReferenceForm(value) && !known.findAny(value)) continue;
        const path = pathTo(container, key);
        if (!accept(path, value)) found.push(path);
      } else if (typeof value === 'object' && value !== null && !seen.has(value) && isTraversable(value)) {
        seen.add(value);
        queue.push({ object: value, key, around: container });
      }
    }
  }
  return found;
}

function isTraversable(value: object): boolean {
  return !isProxy(value) && !ArrayBuffer.isView(value);
}

function pathTo(container: Container, key: string): string[] {
  const path = [key];
  for (let at = container; at.around; at = at.around) path.push(at.key);
  return path.reverse();
}

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
