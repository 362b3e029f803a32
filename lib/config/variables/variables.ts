import type { Nested } from '../plain.js';
import { isInsideItself, isPlainObject, MAX_NESTING } from '../plain.js';
import { hasReferenceForm } from '../references/reference.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigTree } from '../config-tree.js';

/** @internal */
export interface VariableRules {
  /** Put before every name. */
  readonly prefix?: string | undefined;
  /** Names that are used although they change how programs run. */
  readonly allow?: readonly string[];
  /** Names that are left out. */
  readonly omit?: readonly string[];
}

/** Why a value cannot be a variable: `other` is the key that has the name already. Never holds the value. @internal */
export interface VariableProblem {
  readonly name: string;
  readonly why: 'name' | 'dangerous' | 'taken' | 'nul' | 'text' | 'reference' | 'many';
  readonly key: string;
  readonly other?: string;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Writing a variable takes longer the more there are. @internal */
export const MAX_VARIABLES = 10_000;

/**
 * Variables by which a writer of the secret could run code or send the program to another Vault. No list
 * of them can be complete.
 */
const DANGEROUS = new RegExp(
  `^(${[
    'PATH|HOME|SHELL|ENV|IFS|PS4|ZDOTDIR|BASH_ENV|BASHOPTS|SHELLOPTS|PROMPT_COMMAND|EDITOR|VISUAL|PAGER|BROWSER',
    'LD_.*|DYLD_.*|GCONV_PATH|OPENSSL_(CONF|MODULES|ENGINES)|SSL_CERT_(FILE|DIR)',
    'NODE_(?!ENV$).*|NPM_CONFIG_.*|YARN_.*|TS_NODE_.*|PRISMA_.*_(BINARY|LIBRARY)',
    'PYTHON.*|PERL5.*|RUBY(OPT|LIB)|PHPRC|PHP_INI_SCAN_DIR|LUA_(INIT|PATH|CPATH).*',
    '(_|JDK_)?JAVA_(TOOL_)?(OPTIONS|OPTS)|(MAVEN|GRADLE)_OPTS|CLASSPATH|DOTNET_STARTUP_HOOKS|COR(ECLR)?_.*',
    'GIT_(ALTERNATE_.*|ALLOW_PROTOCOL|ATTR_.*|CEILING_.*|COMMON_DIR|CONFIG.*|DIFF_OPTS|DIR|EXEC_PATH|EXTERNAL_DIFF|GRAFT_FILE|HTTP_.*)',
    'GIT_(INDEX_FILE|NAMESPACE|OBJECT_DIRECTORY|PROTOCOL.*|PROXY_.*|REPLACE_.*|SHALLOW_FILE|SHELL_PATH|SSH.*|SSL_.*|TEMPLATE_DIR|TR2.*|TRACE.*|WORK_TREE)',
    '(.*_)?(EDITOR|ASKPASS|PAGER|PROXY|PROXY_COMMAND)|.*_(BINARY_PATH|CA_BUNDLE|CONFIG_(DIR|FILE|HOME|PATH|DIRS)|RCFILE)',
    'LESS(OPEN|CLOSE)|SSLKEYLOGFILE|BASH_FUNC_.*|KUBECONFIG|DOCKER_(CONFIG|HOST)|AWS_(CONFIG_FILE|SHARED_CREDENTIALS_FILE|ENDPOINT_URL.*)',
    'GOOGLE_APPLICATION_CREDENTIALS|CLOUDSDK_.*|(XDG|ANSIBLE|TF|TF_CLI)_(CONFIG.*|DATA_.*|PLUGIN_.*|ARGS.*)|CARGO_.*|RUSTC?_WRAPPER',
    'RUSTFLAGS|GO(FLAGS|PROXY|ENV|PATH|ROOT)|C(XX)?FLAGS|LDFLAGS|MAKEFLAGS|PIP_.*|UV_.*|BUNDLE_.*|GEM_(HOME|PATH)|COREPACK_.*|PNPM_.*|BUN_.*',
    'PG(SYSCONFDIR|SERVICEFILE|PASSFILE)|MYSQL_HOME|CURL_HOME|WGETRC|NETRC|SSH_(AUTH_SOCK|SK_HELPER)|GNUPGHOME|TZDIR|LOCPATH|HOSTALIASES',
    'VAULT_.*|BAO_.*|NESTJS_VAULT_.*',
  ].join('|')})$`,
  'i',
);

/**
 * Configuration as environment variables: top-level names as they are, nested ones in capitals joined by `_`
 * (`database.maxPool` becomes `DATABASE_MAX_POOL`), strings as they are and everything else as JSON.
 *
 * @internal
 */
export function variablesOf(
  values: Readonly<Record<string, unknown>>,
  { prefix = '', allow = [], omit = [] }: VariableRules = {},
): { readonly variables: ReadonlyMap<string, string>; readonly problems: readonly VariableProblem[] } {
  const variables = new Map<string, string>();
  const keys = new Map<string, string>();
  const problems: VariableProblem[] = [];
  for (const { path, value: given } of leavesOf(values)) {
    const key = path.join('.');
    if (variables.size + problems.length >= MAX_VARIABLES) {
      problems.push({ name: '', why: 'many', key });
      break;
    }
    const { text: value, why } = path.length > MAX_NESTING ? { why: 'text' as const } : variableText(given);
    const name = prefix + variableName(path);
    if (omit.includes(name)) continue;
    const other = keys.get(name);
    if (!NAME.test(name)) problems.push({ name, why: 'name', key });
    else if (DANGEROUS.test(name) && !allow.includes(name)) problems.push({ name, why: 'dangerous', key });
    else if (why !== undefined) problems.push({ name, why, key });
    // The same value under its alias is not a different one.
    else if (other !== undefined && variables.get(name) !== value) problems.push({ name, why: 'taken', key, other });
    else {
      variables.set(name, value);
      keys.set(name, key);
    }
  }
  return { variables, problems };
}

/**
 * A value as the text of a variable, or why it cannot be one: a text that looks like a reference would be resolved by
 * the program that reads the variable, with a token that may read more than the one that wrote the value.
 * @internal
 */
export function variableText(
  value: unknown,
):
  | { readonly text: string; readonly why?: undefined }
  | { readonly text?: undefined; readonly why: 'text' | 'nul' | 'reference' } {
  const text = textOf(value);
  if (text === undefined) return { why: 'text' };
  if (text.includes('\0')) return { why: 'nul' };
  return hasReferenceForm(text) ? { why: 'reference' } : { text };
}

/** @internal */
export function variableName(path: readonly string[]): string {
  return path.length === 1 ? (path[0] as string) : path.map(inCapitals).join('_');
}

interface Node extends Nested {
  readonly path: readonly string[];
}

/**
 * The values in an object, in its order, and containers that are nested deeper than {@link MAX_NESTING}. Without recursion: a
 * hostile secret may be nested deeper than the stack, and a factory's object may hold itself.
 */
function* leavesOf(values: Readonly<Record<string, unknown>>): Generator<Node> {
  const stack: Node[] = [];
  const open = (object: object, path: readonly string[], around?: Node): void => {
    const entries = Object.entries(object);
    for (let index = entries.length - 1; index >= 0; index -= 1) {
      const [key, value] = entries[index] as [string, unknown];
      stack.push({ path: [...path, key], value, around });
    }
  };
  open(values, []);
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { path, value } = next;
    const isOpened =
      path.length <= MAX_NESTING && isPlainObject(value) && Object.keys(value).length > 0 && !isInsideItself(next);
    if (isOpened) open(value, path, next);
    // As in JSON, these are no values.
    else if (!['undefined', 'function', 'symbol'].includes(typeof value)) yield next;
  }
}

/** `undefined` for what cannot be written as JSON. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  try {
    return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
  } catch {
    return undefined;
  }
}

function inCapitals(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase();
}

/** Environment variables that hold references, as texts for `process.env`. @internal */
export interface VariableTexts {
  readonly texts: ReadonlyMap<string, string>;
  /** Variables whose values cannot be written to the environment. */
  readonly problems: readonly VariableProblem[];
}

/** @param variables resolved @internal */
export function variableTexts(variables: ConfigTree): VariableTexts {
  const texts = new Map<string, string>();
  const problems: VariableProblem[] = [];
  for (const { path, value } of variables.leaves()) {
    const [name] = path as [string];
    const { text, why } = variableText(value);
    if (why === undefined) texts.set(name, text);
    else problems.push({ name, why, key: name });
  }
  return { texts, problems };
}

/** The error for a variable that factories cannot be given. @internal */
export function unusableVariable({ name, why }: VariableProblem): VaultInvalidOptionError {
  const what = {
    nul: 'has a NUL character, which no variable can have',
    reference: 'looks like a reference itself, which is not followed',
  }[why as string];
  return new VaultInvalidOptionError(
    `${name} refers to a value that ${what ?? 'cannot be written as text'}, and the factories in "config.load" would read it from process.env. Store another value in Vault, or read the secret with "config.sources".`,
  );
}
