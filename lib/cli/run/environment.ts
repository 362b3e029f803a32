import { isJsonObject } from '../../client/response.js';
import { CliError } from '../cli-command.js';

/** @internal */
export interface EnvironmentOptions {
  /** Put before every name. */
  readonly prefix?: string | undefined;
  /** Names that are passed on although they change how programs run. */
  readonly allow?: readonly string[];
  /** Names that are left out. */
  readonly omit?: readonly string[];
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Variables by which whoever can write a secret would run code of his own, or send the program to another Vault. No list
 * of them can be complete.
 */
const DANGEROUS = new RegExp(
  `^(${[
    'PATH|HOME|SHELL|ENV|IFS|PS4|ZDOTDIR|BASH_ENV|BASHOPTS|SHELLOPTS|PROMPT_COMMAND|EDITOR|VISUAL|PAGER|BROWSER',
    'LD_.*|DYLD_.*|GCONV_PATH|OPENSSL_(CONF|MODULES|ENGINES)|SSL_CERT_(FILE|DIR)',
    'NODE_(?!ENV$).*|NPM_CONFIG_.*|YARN_.*|TS_NODE_.*|PRISMA_.*_(BINARY|LIBRARY)',
    'PYTHON.*|PERL5.*|RUBY(OPT|LIB)|PHPRC|PHP_INI_SCAN_DIR|LUA_(INIT|PATH|CPATH).*',
    '(_|JDK_)?JAVA_(TOOL_)?(OPTIONS|OPTS)|(MAVEN|GRADLE)_OPTS|CLASSPATH|DOTNET_STARTUP_HOOKS|COR(ECLR)?_.*',
    'GIT_(SSH|SSH_COMMAND|EXEC_PATH|CONFIG.*|ASKPASS|EDITOR|PAGER|EXTERNAL_DIFF|PROXY_COMMAND|TEMPLATE_DIR)|SSH_ASKPASS',
    'VAULT_.*|BAO_.*',
  ].join('|')})$`,
  'i',
);

/**
 * Configuration as environment variables: top-level names as they are, nested ones in capitals joined by `_`
 * (`database.maxPool` becomes `DATABASE_MAX_POOL`), strings as they are and everything else as JSON.
 *
 * @throws CliError listing every name that cannot be used; no value is quoted
 * @internal
 */
export function environmentOf(
  values: Readonly<Record<string, unknown>>,
  { prefix = '', allow = [], omit = [] }: EnvironmentOptions = {},
): Record<string, string> {
  const environment = new Map<string, { readonly value: string; readonly from: string }>();
  const problems: string[] = [];
  for (const { path, value } of leavesOf(values)) {
    const from = path.join('.');
    const name = prefix + (path.length === 1 ? from : path.map(inCapitals).join('_'));
    if (omit.includes(name)) continue;
    const taken = environment.get(name);
    if (!NAME.test(name))
      problems.push(
        `${JSON.stringify(name)} is no name for a variable: rename it with "map" in its source, or leave it out with --omit ${JSON.stringify(name)}.`,
      );
    else if (DANGEROUS.test(name) && !allow.includes(name)) {
      problems.push(
        `${name} changes how programs run: leave it out with --omit ${name}, or pass it on with --allow ${name}.`,
      );
    } else if (taken) problems.push(`${JSON.stringify(taken.from)} and ${JSON.stringify(from)} would both be ${name}.`);
    else if (value.includes('\0')) problems.push(`${name} holds a NUL character, which no variable can.`);
    else environment.set(name, { value, from });
  }
  if (problems.length > 0) {
    throw new CliError(
      `The configuration cannot become environment variables:\n${problems.map((line) => `  - ${line}`).join('\n')}`,
    );
  }
  return Object.fromEntries([...environment].map(([name, { value }]) => [name, value]));
}

function* leavesOf(
  values: Readonly<Record<string, unknown>>,
): Generator<{ readonly path: readonly string[]; readonly value: string }> {
  // Without recursion: a hostile secret may be nested deeper than the stack.
  const queue = Object.entries(values).map(([key, value]) => ({ path: [key], value }));
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { path, value } = next;
    if (isJsonObject(value) && Object.keys(value).length > 0) {
      queue.unshift(...Object.entries(value).map(([key, inner]) => ({ path: [...path, key], value: inner })));
    } else if (value !== undefined) yield { path, value: typeof value === 'string' ? value : JSON.stringify(value) };
  }
}

function inCapitals(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase();
}

/**
 * What of our own environment a command gets: not how to reach Vault, and not the variables that the options take
 * credentials from.
 *
 * @param options of the module, looked through for `{ env: 'NAME' }`
 * @internal
 */
export function inheritedEnvironment(options: unknown, passVault: boolean): NodeJS.ProcessEnv {
  if (passVault) return { ...process.env };
  const withheld = new Set(credentialVariables(options));
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VAULT|BAO)_/i.test(name) && !withheld.has(name)),
  );
}

function credentialVariables(options: unknown): string[] {
  const found: string[] = [];
  const seen = new Set<unknown>();
  const queue = [options];
  while (queue.length > 0) {
    const value = queue.pop();
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    if ('env' in value && typeof value.env === 'string') found.push(value.env);
    queue.push(...Object.values(value as Record<string, unknown>));
  }
  return found;
}
