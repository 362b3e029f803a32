// `s.` and `b.` are OpenBao's and old Vault's prefixes; the length keeps ordinary words such as "s.th" out.
const TOKEN_PATTERN = /\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{16,}/g;
const UNPRINTABLE = /[\p{Cc}\u2028\u2029]+/gu;
const SHORTEST = 4;
const LONGEST_TEXT = 300;
const LEAVES = 1000;

/**
 * Makes text that a server sent fit for an error message: whatever was secret in the request is blanked out, and so is
 * anything that looks like a token; control characters become spaces; long text is cut.
 * @internal
 */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let clean = text;
  // Longest first: a short secret that is part of a long one must not leave the rest of it standing.
  for (const secret of [...new Set(secrets)].sort((a, b) => b.length - a.length)) {
    if (secret.length >= SHORTEST) clean = clean.replaceAll(secret, '***');
  }
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
  while (queue.length > 0 && found.length < LEAVES) {
    const value = queue.pop();
    if (typeof value === 'string' || typeof value === 'number') found.push(String(value));
    else if (typeof value === 'object' && value !== null) queue.push(...(Object.values(value) as unknown[]));
  }
  return found;
}
