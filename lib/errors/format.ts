/** So many things are written out in one line of the log. */
const MAX_NAMED = 20;

/** Longer names are cut: a secret may have a key of a megabyte. */
const MAX_NAME_LENGTH = 200;
/** Control and formatting characters, line separators and lone surrogates: what a terminal obeys instead of showing. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * A name from outside (a key, a path, a variable, a class) as text for logs and messages: as it is when it is plain, else
 * in quotes with every control and formatting character escaped. The author of a secret must not be able to write lines
 * of the log or to control a terminal.
 * @internal
 */
export function printable(name: string): string {
  return /^[\w.-]+$/.test(name) && name.length <= MAX_NAME_LENGTH ? name : quoted(name);
}

/** The same, always in quotes. @internal */
export function quoted(name: string): string {
  const cut = name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name;
  return JSON.stringify(cut).replace(UNPRINTABLE, escaped);
}

/** A message for logs and errors: control and formatting characters are escaped, line breaks are kept. @internal */
export function printableMessage(message: string): string {
  return message.replace(UNPRINTABLE, (character) => (character === '\n' ? character : escaped(character)));
}

function escaped(character: string): string {
  return [...Array(character.length).keys()]
    .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
    .join('');
}

/** The first of them; the others are counted. @internal */
export function formatList(texts: readonly string[], most = MAX_NAMED): string {
  const named = texts.slice(0, most).join(', ');
  return texts.length > most ? `${named} and ${texts.length - most} more` : named;
}

/** A length of time in the largest unit that leaves a number above 1. @internal */
export function formatDuration(ms: number): string {
  const units: readonly [string, number][] = [
    ['days', 86_400_000],
    ['hours', 3_600_000],
    ['minutes', 60_000],
    ['seconds', 1_000],
  ];
  const [name, size] = units.find(([, length]) => ms >= 2 * length) ?? ['ms', 1];
  return `${Math.floor(ms / size)} ${name}`;
}
