import { VaultInvalidOptionError } from '../errors/index.js';
import { headerText, namespaceText } from './check-options.js';
import { goBoolean, goDurationMs, goHeaders, goRateLimit, goUint } from './go-values.js';

/** An environment variable of the Vault clients and the option it sets. @internal */
export interface Variable<T> {
  /** Without the prefix `BAO_` or `VAULT_`. */
  readonly name: string;
  readonly option: string;
  /** Describes valid values, for errors. */
  readonly expects: string;
  /** Returns `undefined` for an invalid value. */
  readonly parse: (text: string) => T | undefined;
  /** Whether `true` disables the option. */
  readonly negates?: boolean;
}

const passThrough = (text: string): string => text;
/** For addresses and file names, which never begin or end with white space. */
const trimmed = (text: string): string | undefined => text.trim() || undefined;
const header = (text: string): string | undefined => (headerText(text) === undefined ? text : undefined);

/**
 * Every variable that sets an option, except those the login methods read (`VAULT_TOKEN`, `VAULT_ROLE_ID`, `VAULT_SECRET_ID`).
 * @see https://openbao.org/docs/commands/#environment-variables
 * @internal
 */
export const VARIABLES = {
  agentAddress: variable('AGENT_ADDR', 'endpoint', 'an address', trimmed),
  address: variable('ADDR', 'endpoint', 'an address', trimmed),
  srvLookup: variable('SRV_LOOKUP', 'endpoint', 'a boolean: true or false', goBoolean),
  namespace: variable(
    'NAMESPACE',
    'namespace',
    'printable ASCII characters, without line breaks and without white space around them',
    (text) => (namespaceText(text) === undefined ? text : undefined),
  ),
  caFile: variable('CACERT', 'tls.ca', 'the name of a file', trimmed),
  caBytes: variable('CACERT_BYTES', 'tls.ca', 'certificates in PEM form', passThrough),
  caDirectory: variable('CAPATH', 'tls.ca', 'the name of a directory', trimmed),
  certFile: variable('CLIENT_CERT', 'tls.cert', 'the name of a file', trimmed),
  certBytes: variable('CLIENT_CERT_BYTES', 'tls.cert', 'a certificate in PEM form', passThrough),
  keyFile: variable('CLIENT_KEY', 'tls.key', 'the name of a file', trimmed),
  keyBytes: variable('CLIENT_KEY_BYTES', 'tls.key', 'a private key in PEM form', passThrough),
  serverName: variable('TLS_SERVER_NAME', 'tls.serverName', 'a host name', header),
  skipVerify: {
    ...variable('SKIP_VERIFY', 'tls.rejectUnauthorized', 'a boolean: true or false', goBoolean),
    negates: true,
  },
  timeoutMs: variable(
    'CLIENT_TIMEOUT',
    'request.timeoutMs',
    'a duration above zero and below 25 days, such as "30s" or "1m30s", or whole seconds',
    goDurationMs,
  ),
  headers: variable('HEADERS', 'request.headers', 'a JSON object whose values are strings', goHeaders),
  retries: variable('MAX_RETRIES', 'request.retries', 'a whole number from 0', goUint),
  rateLimit: variable(
    'RATE_LIMIT',
    'request.rateLimit',
    'requests per second above zero, such as "10", or with a burst, "10:20"',
    goRateLimit,
  ),
  proxy: variable('PROXY_ADDR', 'request.proxy', 'the address of a proxy', trimmed),
  httpProxy: variable('HTTP_PROXY', 'request.proxy', 'the address of a proxy', trimmed),
  disableRedirects: {
    ...variable('DISABLE_REDIRECTS', 'request.redirects', 'a boolean: true or false', goBoolean),
    negates: true,
  },
} as const;

/**
 * Reads a variable: `BAO_<name>` if it is set (even to an empty value), otherwise `VAULT_<name>`. An empty value counts as
 * not set.
 *
 * @throws VaultInvalidOptionError naming the variable and what it expects, never the value
 * @internal
 */
export function readVariable<T>(variable: Variable<T>): T | undefined {
  const name = variableName(variable);
  const text = process.env[name];
  if (text === undefined || text === '') return undefined;
  if (isQuoted(text)) throw new VaultInvalidOptionError(`${name} ${QUOTES_ADVICE}`);
  const value = variable.parse(text);
  if (value !== undefined) return value;
  const effect = variable.negates ? `"true" turns "${variable.option}" off` : `It sets "${variable.option}"`;
  throw new VaultInvalidOptionError(`${name} must be ${variable.expects}. ${effect}.`);
}

/**
 * Variables that are ignored because `BAO_<name>` and `VAULT_<name>` differ and the option is not set.
 *
 * @param isGiven whether an option, such as `tls.ca`, is set
 * @returns pairs of the name used and the name ignored
 * @internal
 */
export function conflictingVariables(
  isGiven: (option: string) => boolean,
): (readonly [used: string, unused: string])[] {
  return [...Object.values(VARIABLES), ...LOGIN_VARIABLES].flatMap(({ name, option }) => {
    const [used, unused] = [`BAO_${name}`, `VAULT_${name}`] as const;
    const [value, other] = [process.env[used], process.env[unused]];
    return value === undefined || !other || value === other || isGiven(option) ? [] : [[used, unused] as const];
  });
}

/** Variables that the login methods read. */
const LOGIN_VARIABLES = ['TOKEN', 'ROLE_ID', 'SECRET_ID'].map((name) => ({ name, option: 'auth' }));

/** Whether a value is enclosed in quotes, which are never part of a valid value. @internal */
export function isQuoted(text: string): boolean {
  return /^\s*(["'`])[^]*\1\s*$/.test(text) && text.trim().length > 1;
}

/** Completes a sentence that begins with the variable or option whose value {@link isQuoted}. @internal */
export const QUOTES_ADVICE =
  'has quotes around its value. "docker run --env-file" keeps quotes as part of the value. Remove them.';

/** The full name a variable is currently read by: with `BAO_` if that is set, otherwise with `VAULT_`. @internal */
export function variableName({ name }: Variable<unknown>): string {
  return `${process.env[`BAO_${name}`] === undefined ? 'VAULT' : 'BAO'}_${name}`;
}

function variable<T>(name: string, option: string, expects: string, parse: Variable<T>['parse']): Variable<T> {
  return { name, option, expects, parse };
}

/**
 * Variable set in a process, and inherited by its child processes, whose environment already contains the resolved
 * references and sources. Its value is `run:` or `register:` followed by the configuration they came from.
 * @internal
 */
export const RESOLVED_BY = 'NESTJS_VAULT_RESOLVED_BY';

/** Advice for a missing endpoint or login in a command started by `nestjs-vault run`, which withholds both. @internal */
export function withheldAdvice(): string {
  return process.env[RESOLVED_BY]?.startsWith('run:')
    ? ' This process was started by "nestjs-vault run", which does not pass VAULT_*, BAO_* and credentials on: if the application uses VaultModule, add --pass-vault-env.'
    : '';
}
