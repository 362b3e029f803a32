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
  /** Whether there are braces in the default of one in a longer text: where that ends cannot be known. */
  readonly open?: true;
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
const CUT = new RegExp(`(?:^|\\$\\{)(?<text>vault:(?<path>${PATH}))$`);

/**
 * The references in a text; `undefined` when there is none. What does not follow the notation to the letter is text.
 * @internal
 */
export function parseReferences(text: string): ReferenceText | undefined {
  if (!text.includes('vault:')) return undefined;
  const whole = WHOLE.exec(text);
  if (whole) return [referenceOf(whole.groups)];
  const open = OPEN.exec(text);
  if (open) return [{ ...referenceOf(open.groups), open: true }];
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
 * What is left of a reference where a parser of `.env` has taken its `#` for the start of a comment: a text that ends behind
 * the path. Its key is empty.
 * @internal
 */
export function parseCutReference(text: string): ReferenceText | undefined {
  const found = CUT.exec(text);
  return found ? [referenceOf(found.groups)] : undefined;
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
