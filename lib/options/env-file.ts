import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { originalEnvironment, originalVariable } from './process-environment.js';

/** Environment variables by name. @internal */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A line with an unquoted value, as parsers of `.env` files agree on it. */
const UNQUOTED = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*([^\s"'`].*)$/gm;
/** A reference to a key of a secret, in which `#` does not start a comment. */
const REFERENCE = /(?:^|\$\{)vault:[^\s#?]+#\S/;
/** A backslash that keeps libraries from expanding `${vault:…}`. */
const ESCAPED = /\\(?=\$\{vault:)/g;
const EXPANDABLE = /(?<!\\)\$\{vault:[^\s{}#?]+#[^{}]+\}/;

/**
 * Reads the variables of `.env` in the working directory that the environment does not set. They are not written to
 * `process.env`, and the file is optional.
 *
 * A reference such as `vault:secret/data/db#password` is read to its end even without quotes, although parsers of `.env`
 * treat `#` as the start of a comment, and without the backslash in `\${vault:…}`. This also replaces a truncated form
 * that such a parser has already written to `process.env`.
 * @internal
 */
export async function readEnvFile(): Promise<Record<string, string>> {
  const content = await readFile('.env', 'utf8').catch(() => '');
  const values = parseEnv(content) as Record<string, string>;
  const references = findReferences(content, values);
  return Object.fromEntries(
    Object.entries(values)
      .filter(([name, value]) => {
        const own = originalVariable(name);
        return own === undefined || (references.has(name) && own === value);
      })
      .map(([name, value]) => [name, references.get(name) ?? value]),
  );
}

/**
 * Adds the variables of `.env` to `process.env`, whose existing variables take precedence. For programs without
 * `ConfigModule`, which does the same.
 * @internal
 */
export async function addEnvFile(): Promise<void> {
  for (const [name, value] of Object.entries(await readEnvFile())) process.env[name] = value;
}

/** `.env` combined with `process.env`, which takes precedence, without what this package has written to it. @internal */
export async function readEnvironment(): Promise<Environment> {
  return { ...originalEnvironment(), ...(await readEnvFile()) };
}

/**
 * Names of variables in `.env` whose references ConfigModule's `expandVariables` has expanded as if they were variables:
 * to it, `${vault:secret/my-app/db#password}` is an unset variable with the default `app/db#password`. `process.env`
 * contains the result.
 * @internal
 */
export async function expandedReferences(): Promise<string[]> {
  const values = parseEnv(await readFile('.env', 'utf8').catch(() => '')) as Record<string, string>;
  return Object.keys(values).filter((name) => isExpanded(values[name] as string, originalVariable(name)));
}

function isExpanded(text: string, value: string | undefined): boolean {
  if (value === undefined || value === text || !EXPANDABLE.test(text)) return false;
  // Odd parts are the expanded variables, whose values are not known for certain.
  const parts = text.split(/(?<!\\)(\$\{[^{}]+\}|\$[A-Za-z_]\w*)/);
  const fixed = [''];
  let exact = '';
  for (const [index, part] of parts.entries()) {
    const isVariable = index % 2 === 1 && !part.startsWith('${vault:');
    const expanded =
      index % 2 === 0 ? part : isVariable ? guessVariable(part) : defaultAfterOperator(part.slice(2, -1));
    exact += expanded;
    if (isVariable) fixed.push('');
    else fixed[fixed.length - 1] += expanded;
  }
  return value === exact || (fixed.some((part) => part !== '') && hasInOrder(value, fixed));
}

/** Whether a text begins with the first part, ends with the last, and contains the others in between, in this order. */
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

/** The probable value of a variable in a text; it may have changed since. */
function guessVariable(expression: string): string {
  const [name = ''] = /\w+/.exec(expression) ?? [];
  return process.env[name] ?? '';
}

/** The default in an expression, as `dotenv-expand` parses it. */
function defaultAfterOperator(expression: string): string {
  const [operator = '+'] = /:\+|\+|:-|-/.exec(expression) ?? [];
  return operator.endsWith('-') ? expression.slice(expression.indexOf(operator) + operator.length) : '';
}

function findReferences(content: string, values: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', rest = ''] of content.matchAll(UNQUOTED)) {
    const text = rest.replace(/\s+#.*$/, '').trim();
    // The parsed value distinguishes this line from one inside a quoted value of several lines.
    if (REFERENCE.test(text) && values[name] === text.slice(0, text.indexOf('#')).trim()) found.set(name, text);
  }
  for (const [name, value] of Object.entries(values)) {
    const text = found.get(name) ?? value;
    // ConfigModule's expandVariables removes the backslash, so the value is unescaped here too.
    if (text.search(ESCAPED) >= 0) found.set(name, text.replaceAll(ESCAPED, ''));
  }
  return found;
}
