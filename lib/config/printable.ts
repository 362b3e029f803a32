/** So many things are written out in one line of the log. */
const MOST_NAMED = 20;

/** A key as text for people. Who writes secrets must not be able to write lines of the log. @internal */
export function printable(key: string): string {
  return /^[\w.-]+$/.test(key) ? key : JSON.stringify(key);
}

/** The first of them; the others are counted. @internal */
export function shortList(texts: readonly string[], most = MOST_NAMED): string {
  const named = texts.slice(0, most).join(', ');
  return texts.length > most ? `${named} and ${texts.length - most} more` : named;
}
