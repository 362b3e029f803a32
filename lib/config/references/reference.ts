import { encodePath } from '../../client/path.js';
import type { SecretAddress } from '../sources/read-secrets.js';

/**
 * What is wrong with a text that has the form of a reference and cannot be resolved.
 *
 * - `wrapped`: quotes, spaces or other characters around it
 * - `case`: not in lower case
 * - `escaped`: a backslash before `${`
 * - `unclosed`: no closing brace
 * - `braces`: braces in the default of one in a longer text, whose end cannot be known
 * - `chained`: its default is a reference itself
 * - `template`: a template of Bank-Vaults after `#`
 * - `default`: a default, and no key before it
 * - `truncated`: no key; a parser of `.env` takes `#` for the start of a comment
 * - `backslash`, `space`, `slash`, `mount`, `percent`, `key`, `version`: this part of it
 * - `ambiguous`: what looks like a default may be the rest of a longer text
 * - `inside`: it is a part of a longer text, outside of `${…}`
 * - `name`: the variable has a name that no configuration may have
 * - `notation`: anything else
 *
 * @internal
 */
export type ReferenceProblem =
  | 'wrapped'
  | 'case'
  | 'escaped'
  | 'unclosed'
  | 'braces'
  | 'chained'
  | 'template'
  | 'default'
  | 'truncated'
  | 'backslash'
  | 'space'
  | 'slash'
  | 'mount'
  | 'percent'
  | 'key'
  | 'version'
  | 'ambiguous'
  | 'inside'
  | 'name'
  | 'notation';

/**
 * A reference to a key of a secret, in Bank-Vaults' notation: `vault:secret/data/my-app/db#password`, with a version
 * after a second `#` and a default after `?`.
 * @see https://bank-vaults.dev/docs/mutating-webhook/configuration/
 * @internal
 */
export interface VaultReference {
  /** As written, without the default, which may be a secret; of one with a problem only what can be shown. */
  readonly text: string;
  /** Mount and path, not told apart yet, percent-decoded. */
  readonly path: string;
  /** Percent-decoded. */
  readonly key: string;
  readonly version?: number;
  /** What stands in when the secret or the key does not exist. */
  readonly fallback?: string;
  readonly problem?: ReferenceProblem;
  /** The part that is wrong, where it can be shown. */
  readonly part?: string;
}

/** A text with references in it; a reference that is the whole text is the only part. @internal */
export type ReferenceText = readonly (string | VaultReference)[];

/** What gets before a reference by mistake: white space, invisible characters, quotes, backslashes. */
const LEAD = '[\\s\\p{Cc}\\p{Cf}"\'`\\\\\\p{Pi}\\p{Pf}„‚]*';
/** Addresses (`vault://host`), ciphertexts of Transit (`vault:v1:…`), a host and its port (`vault:8200`). */
const EXEMPT = '//|v\\d+:|\\d{1,5}$';
const BEGINNING = new RegExp(`^${LEAD}vault:(?!${EXEMPT})`, 'iu');
/** Longer parts of a text are cut in errors. */
const MAX_SHOWN = 120;
const INSIDE = /\$\{\s*vault:/i;

/**
 * Whether a text is a reference or can only have been meant as one: it begins with `vault:`, also after white space and
 * quotes and in any letter case, or contains `${vault:`. Exempt are `vault://…`, ciphertexts such as `vault:v1:…`, and a
 * host with its port, such as `vault:8200`. Every such text is resolved or stops the boot, unless its key is in
 * `references.literal`.
 * @internal
 */
export function hasReferenceForm(text: string): boolean {
  return BEGINNING.test(text) || INSIDE.test(text);
}

// No part can match what ends it, so that the time is linear for any text.
const SEGMENT = '[^\\s#?${}/\\\\"\'`]+';
const PATH = `[^\\s#?\${}/:\\\\"'\`]+(?:/${SEGMENT})+`;
const REFERENCE = `(?<text>vault:(?<path>${PATH})#(?<key>[^\\s#?\${}\\\\"'\`]+)(?:#(?<version>[1-9]\\d{0,14}))?)`;
const WHOLE = new RegExp(`^${REFERENCE}(?:\\?(?<fallback>[^]*))?$`);
const INLINE = new RegExp(`\\$\\{${REFERENCE}(?:\\?(?<fallback>[^{}]*))?\\}`, 'y');
/** With these alone it is certain that a key ends at the "?" of the default, and not the address that it is part of. */
const PLAIN_KEY = /^[\p{L}\p{N}_.%-]+$/u;

/**
 * A text with references in it, taken apart: `undefined` when it has not the form of a reference. What cannot be resolved
 * is one reference with a problem.
 * @internal
 */
export function parseReferences(text: string): ReferenceText | undefined {
  // Most texts are none, and some are long.
  if (BEGINNING.test(text)) return [parseWhole(text)];
  return INSIDE.test(text) ? parseInside(text) : undefined;
}

function parseWhole(text: string): VaultReference {
  const whole = WHOLE.exec(text);
  if (whole) return referenceOf(whole.groups);
  const bare = unwrapped(text);
  const inner = WHOLE.exec(bare);
  if (inner) return { ...referenceOf(inner.groups), problem: 'wrapped' };
  const faulty = explainProblem(bare.slice('vault:'.length));
  return bare.startsWith('vault:') ? faulty : { ...faulty, problem: 'case' };
}

function parseInside(text: string): ReferenceText {
  const parts: (string | VaultReference)[] = [];
  let end = 0;
  for (const { index, 0: opening } of text.matchAll(new RegExp(INSIDE, 'gi'))) {
    INLINE.lastIndex = index;
    const match = INLINE.exec(text);
    const reference = match ? referenceOf(match.groups) : problemInside(text.slice(index + opening.length), opening);
    if (reference.problem) return [reference];
    if (text[index - 1] === '\\') return [{ ...reference, problem: 'escaped' }];
    if (index > end) parts.push(text.slice(end, index));
    parts.push(reference);
    end = INLINE.lastIndex;
  }
  if (end < text.length) parts.push(text.slice(end));
  return parts;
}

/** @param rest what follows `${vault:` */
function problemInside(rest: string, opening: string): VaultReference {
  const end = /[{}]/.exec(rest);
  const body = end ? rest.slice(0, end.index) : rest;
  const faulty = explainProblem(body);
  if (!opening.endsWith('vault:')) return { ...faulty, problem: 'case' };
  if (opening !== '${vault:') return { ...faulty, problem: 'space', part: '${' };
  if (end?.[0] === '}' || body.endsWith('#$')) return faulty;
  const [head = ''] = body.split('?');
  // A parser of .env takes the brace away together with the key.
  if (!end && !body.includes('#') && head === body) return { ...explainProblem(''), text: faulty.text };
  return { ...faulty, text: `vault:${shown(head)}`, problem: end && head !== body ? 'braces' : 'unclosed' };
}

/**
 * What is wrong with a reference that does not follow the notation.
 *
 * @param body what follows `vault:`
 */
function explainProblem(body: string): VaultReference {
  const question = body.indexOf('?');
  const head = question < 0 ? body : body.slice(0, question);
  const [path = '', key, version, ...others] = head.split('#');
  const faulty = (problem: ReferenceProblem, part?: string, text = path): VaultReference => ({
    text: `vault:${shown(/[/#]/.test(head) ? text : '')}`,
    path: '',
    key: '',
    problem,
    ...(part !== undefined && { part: shown(part) }),
  });
  if (/^\s/.test(path)) return { ...faulty('space', undefined, path.trimStart()), part: 'vault:' };
  if (path.includes('\\')) return faulty('backslash');
  if (key === undefined && question >= 0) return faulty('default');
  if (key === undefined)
    return faulty('truncated', /\/.*\//.test(path) ? path.replace(/\/([^/]*)$/, '#$1') : undefined);
  if (key.startsWith('$')) return faulty('template');
  if (/\s$/.test(path)) return faulty('space', '#');
  if (/\s/.test(path)) return faulty('space');
  if (!path.includes('/')) return faulty('mount', undefined, head);
  if (/^\/|\/\/|\/$/.test(path)) return faulty('slash');
  if (key === '' || /[\s${}\\"'`]/.test(key)) return faulty('key', key);
  if (version !== undefined) return faulty('version', [version, ...others].join('#'));
  return faulty('notation');
}

/** A part of a reference for an error. What follows it in a longer text may be a password. */
function shown(part: string): string {
  const [head = ''] = /^[^\s\p{Cc}\p{Cf}@:,;&"'`{}]*/u.exec(part) ?? [];
  return head.length === part.length && part.length <= MAX_SHOWN ? part : `${head.slice(0, MAX_SHOWN)}…`;
}

const AROUND = new RegExp(`^${LEAD}`, 'u');

/** Without what stands around it. */
function unwrapped(text: string): string {
  const [lead = ''] = AROUND.exec(text) ?? [];
  let end = text.length;
  while (end > lead.length && AROUND.exec(text.charAt(end - 1))?.[0] !== '') end -= 1;
  return text.slice(lead.length, end);
}

function referenceOf(groups: Readonly<Record<string, string | undefined>> = {}): VaultReference {
  const { text = '', path = '', key = '', version, fallback } = groups;
  const named = { text, path, key };
  const isPlain = fallback === undefined || PLAIN_KEY.test(key);
  if (!isPlain) return { ...named, problem: 'ambiguous', part: shown(key) };
  if (fallback !== undefined && hasReferenceForm(fallback)) return { ...named, problem: 'chained' };
  try {
    return {
      text,
      path: decodeURIComponent(path),
      key: decodeURIComponent(key),
      ...(version !== undefined && { version: Number(version) }),
      ...(fallback !== undefined && { fallback }),
    };
  } catch {
    return { ...named, problem: 'percent' };
  }
}

/**
 * Tells mount and path apart. A known mount at the beginning is the mount; otherwise the text before the first `data/`;
 * otherwise the first segment. One `data/` after the mount belongs to the API and is taken away.
 *
 * @throws VaultInvalidPathError
 * @internal
 */
export function addressOf({ path, version }: VaultReference, mounts: readonly string[]): SecretAddress {
  encodePath(path, 'its path');
  const known = mounts.find((mount) => path.startsWith(`${mount}/`));
  const data = path.indexOf('/data/');
  const mountPath = known ?? path.slice(0, data > 0 ? data : path.indexOf('/'));
  const rest = path.slice(mountPath.length + 1);
  const secretPath = rest.startsWith('data/') ? rest.slice('data/'.length) : rest;
  return { mountPath, secretPath, ...(version !== undefined && { version }) };
}
