import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { ownEnvironment, ownVariable } from './process-environment.js';

/** Variables by name. @internal */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A line whose value is not in quotes, as all parsers of such files read it. */
const UNQUOTED = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*([^\s"'`].*)$/gm;
/** A reference to a key of a secret: the `#` in it starts no comment. */
const REFERENCE = /(?:^|\$\{)vault:[^\s#?]+#\S/;
/** As libraries that expand variables know them: not to be expanded. */
const ESCAPED = /\\(?=\$\{vault:)/g;
const EXPANDABLE = /(?<!\\)\$\{vault:[^\s{}#?]+#[^{}]+\}/;

/**
 * The variables of `.env` in the working directory that the environment does not set itself. They are not written to
 * `process.env`, and the file need not exist.
 *
 * A reference such as `vault:secret/data/db#password` is read to its end even without quotes, although every parser of
 * such files takes `#` for the start of a comment, and without the backslash in `\${vault:…}`; also when one of them has put
 * another form of it into `process.env` before.
 * @internal
 */
export async function readEnvFile(): Promise<Record<string, string>> {
  const content = await readFile('.env', 'utf8').catch(() => '');
  const values = parseEnv(content) as Record<string, string>;
  const whole = wholeReferences(content, values);
  return Object.fromEntries(
    Object.entries(values)
      .filter(([name, value]) => {
        const own = ownVariable(name);
        return own === undefined || (whole.has(name) && own === value);
      })
      .map(([name, value]) => [name, whole.get(name) ?? value]),
  );
}

/**
 * Adds the variables of `.env` to `process.env`, which has precedence, as `ConfigModule` does in an application: for
 * programs that have no `ConfigModule`.
 * @internal
 */
export async function addEnvFile(): Promise<void> {
  for (const [name, value] of Object.entries(await readEnvFile())) process.env[name] = value;
}

/** The environment as `ConfigService` sees it: `process.env` without what this package has written, and below it `.env`. @internal */
export async function readEnvironment(): Promise<Environment> {
  return { ...ownEnvironment(), ...(await readEnvFile()) };
}

/**
 * Variables of `.env` whose references `expandVariables` of `ConfigModule` has taken for variables of its own: to it,
 * `${vault:secret/my-app/db#password}` is a variable that is not set, with the default `app/db#password`. What it has
 * made of them stands in `process.env`.
 * @internal
 */
export async function expandedReferences(): Promise<string[]> {
  const values = parseEnv(await readFile('.env', 'utf8').catch(() => '')) as Record<string, string>;
  return Object.keys(values).filter((name) => isExpanded(values[name] as string, ownVariable(name)));
}

function isExpanded(text: string, value: string | undefined): boolean {
  if (value === undefined || value === text || !EXPANDABLE.test(text)) return false;
  // Variables that were expanded are at odd places: what they were is not known for certain.
  const parts = text.split(/(?<!\\)(\$\{[^{}]+\}|\$[A-Za-z_]\w*)/);
  const fixed = [''];
  let exact = '';
  for (const [index, part] of parts.entries()) {
    const isVariable = index % 2 === 1 && !part.startsWith('${vault:');
    const became = index % 2 === 0 ? part : isVariable ? variableIn(part) : defaultIn(part.slice(2, -1));
    exact += became;
    if (isVariable) fixed.push('');
    else fixed[fixed.length - 1] += became;
  }
  return value === exact || (fixed.some((part) => part !== '') && hasInOrder(value, fixed));
}

/** Whether a text begins with the first part, ends with the last one, and has the others between them in this order. */
function hasInOrder(text: string, parts: readonly string[]): boolean {
  const [first = '', ...others] = parts;
  const last = others.pop();
  if (last === undefined) return text === first;
  let from = first.length;
  for (const part of others) {
    const at = text.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return text.startsWith(first) && text.endsWith(last) && text.length - last.length >= from;
}

/** What a variable in a text most likely was. */
function variableIn(expression: string): string {
  const [name = ''] = /\w+/.exec(expression) ?? [];
  return process.env[name] ?? '';
}

/** As libraries that expand variables split their names. */
function defaultIn(expression: string): string {
  const [operator = '+'] = /:\+|\+|:-|-/.exec(expression) ?? [];
  return operator.endsWith('-') ? expression.slice(expression.indexOf(operator) + operator.length) : '';
}

function wholeReferences(content: string, values: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', rest = ''] of content.matchAll(UNQUOTED)) {
    const text = rest.replace(/\s+#.*$/, '').trim();
    // What the parser has kept tells this line from one inside a quoted value of several lines.
    if (REFERENCE.test(text) && values[name] === text.slice(0, text.indexOf('#')).trim()) found.set(name, text);
  }
  for (const [name, value] of Object.entries(values)) {
    const text = found.get(name) ?? value;
    // Where "expandVariables" of ConfigModule has read the file, the backslash is gone.
    if (text.search(ESCAPED) >= 0) found.set(name, text.replaceAll(ESCAPED, ''));
  }
  return found;
}
