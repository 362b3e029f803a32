// `s.` and `b.` are OpenBao's and old Vault's prefixes; the length keeps ordinary words such as "s.th" out.
const TOKEN_PATTERN = /\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{16,}/g;
const UNPRINTABLE = /[\p{Cc}\u2028\u2029]+/gu;
const SHORTEST = 4;
const LONGEST_INPUT = 8192;
const LONGEST_TEXT = 300;
const MOST_SECRETS = 1000;

/**
 * Makes text that a server sent fit for an error message: whatever was secret in the request is blanked out, as it was
 * and as JSON or a URL would write it, and so is anything that looks like a token; control characters become spaces;
 * long text is cut. With more secrets than can be looked for, nothing of the text is left.
 * @internal
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  if (secrets.length > MOST_SECRETS) return '';
  // Longest first: a short secret that is part of a long one must not leave the rest of it standing.
  const forms = [...new Set(secrets.filter(({ length }) => length >= SHORTEST).flatMap(formsOf))].sort(
    (a, b) => b.length - a.length,
  );
  let clean = text.slice(0, LONGEST_INPUT);
  for (const form of forms) clean = clean.replaceAll(form, '***');
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
  while (queue.length > 0 && found.length <= MOST_SECRETS) {
    const value = queue.pop();
    if (typeof value === 'string' || typeof value === 'number') found.push(String(value));
    else if (typeof value === 'object' && value !== null) for (const entry of Object.values(value)) queue.push(entry);
  }
  return found;
}

/** A secret as text, in JSON, in JSON as Go writes it, and in a URL. */
function formsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const go = json.replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
  return [secret, json, go, encodeURIComponent(secret.replace(/\p{Cs}/gu, '\ufffd'))];
}
