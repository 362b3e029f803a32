const MAX_ROUNDS = 4;
const NAMED: Readonly<Record<string, string>> = {
  ...{ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' },
};
/** Eight bytes in base64, and in hex. */
const MIN_BASE64_LENGTH = 11;
const HEX_RUN = /[0-9a-f]{16,}/gi;

/**
 * A text as a person would read it out, so that two ways to write the same are equal: percent encoding, entities of HTML and
 * escapes of JSON, Go and JavaScript are decoded, also one in another, and case, white space, quotes, backslashes and ways
 * to compose a letter do not count.
 * @internal
 */
export function readable(text: string): string {
  return decode(text)
    .replace(/[\s\p{Cc}\\"'`+]+/gu, '')
    .normalize('NFKC')
    .toLowerCase();
}

/** A text, readable, and what base64 and hex in it may encode, wherever they begin. @internal */
export function decodings(text: string): string[] {
  const decoded = decode(text);
  const plain = decoded.replace(/[\s\p{Cc}\\"'`]+/gu, '');
  const base64 = plain
    .split(/[^A-Za-z0-9+/_-]+/)
    .filter(({ length }) => length >= MIN_BASE64_LENGTH)
    .flatMap((run) => [0, 1, 2, 3].map((start) => Buffer.from(run.slice(start), 'base64').toString('utf8')));
  const hex = (plain.replace(/0x|[:,-]/gi, '').match(HEX_RUN) ?? []).flatMap((run) =>
    [0, 1].map((start) => Buffer.from(run.slice(start), 'hex').toString('utf8')),
  );
  return [readable(decoded), ...[...base64, ...hex].map(readable)];
}

function decode(text: string): string {
  let decoded = text;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const before = decoded;
    decoded = decodeOnce(decoded);
    if (decoded === before) break;
  }
  return decoded;
}

function decodeOnce(text: string): string {
  return (
    text
      // Each round of JSON doubles them. As runs, since an expression that looks for one before a letter takes quadratic time.
      .replace(/\\+/g, '\\')
      .replace(/(?:%[0-9a-f]{2})+/gi, (run) => fromHex(run.replaceAll('%', '')))
      .replace(/(?:\\x[0-9a-f]{2})+/gi, (run) => fromHex(run.replace(/\\x/gi, '')))
      .replace(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replace(/\\(?:u\{([0-9a-fA-F]{1,6})\}|U([0-9a-fA-F]{8}))/g, (_, braced?: string, long?: string) =>
        fromCode(Number.parseInt(braced ?? long ?? '', 16)),
      )
      .replace(/\\[nrtbfv]/g, '')
      .replace(/&#(\d{1,7});?/g, (_, digits: string) => fromCode(Number(digits)))
      .replace(/&#x([0-9a-f]{1,6});?/gi, (_, hex: string) => fromCode(Number.parseInt(hex, 16)))
      .replace(/&(amp|lt|gt|quot|apos|nbsp);?/gi, (_, name: string) => NAMED[name.toLowerCase()] as string)
  );
}

function fromHex(hex: string): string {
  return Buffer.from(hex, 'hex').toString('utf8');
}

function fromCode(code: number): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : '';
}
