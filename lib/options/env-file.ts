import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';

/** Variables by name. @internal */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A line whose value is not in quotes, as all parsers of such files read it. */
const UNQUOTED = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*([^\s"'`].*)$/gm;
/** A reference to a key of a secret: the `#` in it starts no comment. */
const REFERENCE = /(?:^|\$\{)vault:[^\s#?]+#\S/;

/**
 * The variables of `.env` in the working directory that the environment does not set itself. They are not written to
 * `process.env`, and the file need not exist.
 *
 * A reference such as `vault:secret/data/db#password` is read to its end even without quotes, although every parser of
 * such files takes `#` for the start of a comment; also when one of them has put the first half into `process.env` before.
 * @internal
 */
export async function readEnvFile(): Promise<Record<string, string>> {
  const content = await readFile('.env', 'utf8').catch(() => '');
  const values = parseEnv(content) as Record<string, string>;
  const whole = wholeReferences(content, values);
  return Object.fromEntries(
    Object.entries(values)
      .filter(([name, value]) => process.env[name] === undefined || (whole.has(name) && process.env[name] === value))
      .map(([name, value]) => [name, whole.get(name) ?? value]),
  );
}

/** The environment as `ConfigService` sees it: `process.env`, and below it `.env`. @internal */
export async function readEnvironment(): Promise<Environment> {
  return { ...process.env, ...(await readEnvFile()) };
}

function wholeReferences(content: string, values: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', rest = ''] of content.matchAll(UNQUOTED)) {
    const text = rest.replace(/\s+#.*$/, '').trim();
    // What the parser has kept tells this line from one inside a quoted value of several lines.
    if (REFERENCE.test(text) && values[name] === text.slice(0, text.indexOf('#')).trim()) found.set(name, text);
  }
  return found;
}
