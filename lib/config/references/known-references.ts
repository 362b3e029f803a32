import type { ReferenceText, VaultReference } from './reference-syntax.js';
import { parseReferences } from './reference-syntax.js';

/** What all forms of a reference have in common, so that most texts are not looked through. */
const CANDIDATE = /vault(?::|%3a)|#|%23/i;
/** The query of an address. As the default of a reference it would be odd. */
const QUERY = /^[\w.[\]-]+=/;

/**
 * Mount, path and key behind `vault:`, somewhere in a text. No part can hold what begins the next one, so that the time is
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
 * References whose texts are known: those of variables and of what `config.load` makes. Whatever puts texts together before
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

  /** @param texts of variables, some with a flaw */
  addVariables(texts: Iterable<ReferenceText>): void {
    const found = [...texts];
    this.add(found);
    for (const [only, ...others] of found) {
      if (typeof only !== 'object' || only.flaw || others.length > 0) continue;
      this.#whole.set(only.text, [...(this.#whole.get(only.text) ?? []), only]);
    }
  }

  add(texts: Iterable<ReferenceText>): void {
    for (const part of [...texts].flat()) if (typeof part === 'object' && !part.flaw) this.#add(part);
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
   * As `parseReferences`, with a flaw for what is a part of a longer text: outside of a reference it would stay text, and
   * what follows a reference would be taken for its default.
   */
  parse(text: string): ReferenceText | undefined {
    const parts = parseReferences(text) ?? [text];
    for (const part of parts) {
      const reference = typeof part === 'string' ? this.findAny(part) : undefined;
      if (reference) return [{ ...reference, flaw: 'inside' }];
    }
    const [only] = parts;
    if (typeof only === 'string' && parts.length === 1) return undefined;
    if (parts.length === 1 && typeof only === 'object' && text.startsWith(only.text) && this.#isExtended(only)) {
      return [{ ...only, flaw: 'ambiguous' }];
    }
    return parts;
  }

  /** A reference of which there are remains in a text: in any letter case, cut behind its path or before it, escaped, or encoded. */
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

  /** Whether it is another reference with more text behind it. */
  #isExtended({ text, fallback, flaw }: VaultReference): boolean {
    if (fallback === undefined || flaw) return false;
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
