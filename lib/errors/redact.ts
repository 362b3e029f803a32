// `s.` and `b.` are OpenBao's and old Vault's prefixes; the length keeps ordinary words such as "s.th" out.
const TOKEN_PATTERN = /\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{16,}/g;
const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const UNPRINTABLE = /[\p{Cc}\u2028\u2029]+/gu;
const SHORTEST = 4;
/** Numbers of that length are versions and counts. */
const SHORT = /^(?=.*\D)[^\s]{1,3}$/u;
const SHORTEST_LINE = 8;
const LONGEST_INPUT = 8192;
const LONGEST_TEXT = 300;
const MOST_SECRETS = 1000;

/**
 * Makes text that a server sent fit for an error message: whatever was secret in the request is blanked out, in small
 * letters or capitals, as it was and as JSON, HTML, a URL or base64 would write it, each line of a long one too, and so is
 * anything that looks like a token; one of less than four characters where it stands alone. Control characters become
 * spaces; long text is cut. With more secrets than can be looked for, nothing of the text is left.
 * @internal
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  if (secrets.length > MOST_SECRETS) return '';
  // Longest first: a short secret that is part of a long one must not leave the rest of it standing.
  // No form of a secret is shorter than the secret.
  const long = secrets
    .flatMap((secret) => [secret, ...linesOf(secret)])
    .filter(({ length }) => length >= SHORTEST && length <= text.length);
  const forms = [...new Set(long.flatMap(formsOf))].sort((a, b) => b.length - a.length);
  let clean = text.slice(0, LONGEST_INPUT);
  for (const form of forms) clean = blankOut(clean, form);
  for (const secret of secrets) if (SHORT.test(secret)) clean = blankOut(clean, secret, true);
  // The cut may have gone through a secret, of which the beginning still stands at the end.
  if (text.length > LONGEST_INPUT) clean = clean.slice(0, Math.max(0, clean.length - (forms[0]?.length ?? 0)));
  clean = clean.replace(TOKEN_PATTERN, '***').replace(UNPRINTABLE, ' ').trim();
  return clean.length > LONGEST_TEXT ? `${clean.slice(0, LONGEST_TEXT)}…` : clean;
}

/**
 * Every string and number found in a request body, as text: what `redact` has to blank out of an answer to it.
 * @internal
 */
export function secretsOf(body: unknown): string[] {
  const found: string[] = [];
  const queue: unknown[] = [body];
  const seen = new Set<unknown>();
  while (queue.length > 0 && found.length <= MOST_SECRETS) {
    const value = queue.pop();
    if (typeof value === 'string' || typeof value === 'number') found.push(String(value));
    else if (typeof value === 'object' && value !== null && !seen.has(value)) {
      seen.add(value);
      for (const entry of Object.values(value)) queue.push(entry);
    }
  }
  return found;
}

/** Keys and certificates are quoted line by line. */
function linesOf(secret: string): string[] {
  if (!secret.includes('\n')) return [];
  // Not split at spaces and line breaks together: that takes quadratic time, and whoever writes secrets could hang the process.
  const lines = secret.split('\n').map((line) => line.trim());
  return lines.filter(({ length }) => length >= SHORTEST_LINE);
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

/** A secret as text, in JSON, in JSON as Go writes it, in HTML, in two kinds of URLs, and in base64. */
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
  return [secret, json, go, url, query, ...quoted, ...base64];
}

/** What somebody else's code has thrown, by its kind: its message may quote anything. @internal */
export function failureKind(failure: unknown): string {
  try {
    return failure instanceof Error ? redact(String(failure.name)) : typeof failure;
  } catch {
    return 'unknown';
  }
}
