/**
 * Why a text that is meant as a reference cannot be resolved:
 *
 * - `cut`: a parser of `.env` has taken its `#` for the start of a comment
 * - `open`: there are braces in the default of one in a longer text, whose end cannot be known
 * - `chained`: its default is a reference itself
 * - `wrapped`: there are quotes or spaces around it
 * - `malformed`: what stands behind the path does not follow the notation
 *
 * @internal
 */
export type ReferenceFlaw = 'cut' | 'open' | 'chained' | 'wrapped' | 'malformed';

/**
 * A reference to a key of a secret, in Bank-Vaults' notation: `vault:secret/data/my-app/db#password`, with a version
 * behind a second `#` and a default behind `?`.
 * @see https://bank-vaults.dev/docs/mutating-webhook/configuration/
 * @internal
 */
export interface VaultReference {
  /** As written, without the default, which may be a secret. */
  readonly text: string;
  /** Mount and path, not told apart yet. */
  readonly path: string;
  readonly key: string;
  readonly version?: number;
  /** What stands in when the secret or the key does not exist. */
  readonly fallback?: string;
  readonly flaw?: ReferenceFlaw;
}

/** A text with references in it; a reference that is the whole text is the only part. @internal */
export type ReferenceText = readonly (string | VaultReference)[];

// No part can match what ends it, so that the time is linear whatever is matched against.
const SEGMENT = '[^\\s#?${}/]+';
// Without a colon in the first segment: `vault:v1:…` is a ciphertext of Transit.
const PATH = `[^\\s#?\${}/:]+(?:/${SEGMENT})+`;
const REFERENCE = `(?<text>vault:(?<path>${PATH})#(?<key>[^\\s#?\${}]+)(?:#(?<version>\\d{1,15}))?)`;
const WHOLE = new RegExp(`^${REFERENCE}(?:\\?(?<fallback>[^]*))?$`);
const INLINE = new RegExp(`\\$\\{${REFERENCE}(?:\\?(?<fallback>[^{}]*))?\\}`, 'g');
const OPEN = new RegExp(`\\$\\{${REFERENCE}\\?[^{}]*\\{`);
const CHAINED = new RegExp(`(?:^|\\$\\{)vault:${PATH}#[^\\s#?\${}]`);
const CUT = new RegExp(`(?:^|\\$\\{)(?<text>vault:(?<path>${PATH}))$`);
// Behind "#${" stands a template of Bank-Vaults.
const MALFORMED = new RegExp(`^(?<text>vault:(?<path>/?[^\\s#?\${}/:]+(?:/+${SEGMENT})+))#(?!\\$\\{)`);

/**
 * The references in a text; `undefined` when there is none. What does not follow the notation to the letter is text.
 * @internal
 */
export function parseReferences(text: string): ReferenceText | undefined {
  if (!text.includes('vault:')) return undefined;
  const whole = WHOLE.exec(text);
  if (whole) {
    const reference = referenceOf(whole.groups);
    return [CHAINED.test(reference.fallback ?? '') ? { ...reference, flaw: 'chained' } : reference];
  }
  const open = OPEN.exec(text);
  if (open) return [{ ...referenceOf(open.groups), flaw: 'open' }];
  const parts: (string | VaultReference)[] = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > end) parts.push(text.slice(end, match.index));
    parts.push(referenceOf(match.groups));
    end = match.index + match[0].length;
  }
  if (end === 0) return undefined;
  if (end < text.length) parts.push(text.slice(end));
  return parts;
}

/**
 * What is no reference, but can only have been meant as one: whoever reads it would take it for the password. The key may
 * be empty.
 * @internal
 */
export function parseFlawedReference(text: string): ReferenceText | undefined {
  if (!text.includes('vault:')) return undefined;
  const cut = CUT.exec(text);
  if (cut) return [{ ...referenceOf(cut.groups), flaw: 'cut' }];
  const wrapped = WHOLE.exec(unwrapped(text));
  if (wrapped) return [{ ...referenceOf(wrapped.groups), flaw: 'wrapped' }];
  const malformed = MALFORMED.exec(text);
  return malformed ? [{ ...referenceOf(malformed.groups), flaw: 'malformed' }] : undefined;
}

/** Without the spaces around it, and the quotes. */
function unwrapped(text: string): string {
  const bare = text.trim();
  const quote = bare.charAt(0);
  return bare.length > 1 && `"'\``.includes(quote) && bare.endsWith(quote) ? bare.slice(1, -1).trim() : bare;
}

function referenceOf(groups: Readonly<Record<string, string | undefined>> = {}): VaultReference {
  const { text = '', path = '', key = '', version, fallback } = groups;
  return {
    text,
    path,
    key,
    // As in Vault's API, version 0 is the current one.
    ...(version !== undefined && Number(version) > 0 && { version: Number(version) }),
    ...(fallback !== undefined && { fallback }),
  };
}
