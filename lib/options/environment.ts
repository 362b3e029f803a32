import { VaultInvalidOptionError } from '../errors/index.js';
import { headerText, namespaceText } from './check-options.js';
import { goBoolean, goDurationMs, goHeaders, goRateLimit, goUint } from './go-values.js';

/** A variable of Vault's environment, without its prefix, and the option it fills in. @internal */
export interface Variable<T> {
  readonly name: string;
  readonly option: string;
  /** What it takes, in words. */
  readonly takes: string;
  /** `undefined` for what it does not take. */
  readonly parse: (text: string) => T | undefined;
  /** Whether `true` turns the option off. */
  readonly negates?: boolean;
}

const any = (text: string): string => text;
/** Addresses and names of files: white space around them is a mistake of whatever set the variable. */
const trimmed = (text: string): string | undefined => text.trim() || undefined;
const header = (text: string): string | undefined => (headerText(text) === undefined ? text : undefined);

/**
 * Every variable that is read, in one place. The token (`BAO_TOKEN`, `VAULT_TOKEN`) is the login method's.
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
  caBytes: variable('CACERT_BYTES', 'tls.ca', 'certificates in PEM form', any),
  caDirectory: variable('CAPATH', 'tls.ca', 'the name of a directory', trimmed),
  certFile: variable('CLIENT_CERT', 'tls.cert', 'the name of a file', trimmed),
  certBytes: variable('CLIENT_CERT_BYTES', 'tls.cert', 'a certificate in PEM form', any),
  keyFile: variable('CLIENT_KEY', 'tls.key', 'the name of a file', trimmed),
  keyBytes: variable('CLIENT_KEY_BYTES', 'tls.key', 'a private key in PEM form', any),
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
 * What a variable says: `BAO_<name>` if it is set at all, else `VAULT_<name>`; empty counts as not set.
 *
 * @throws VaultInvalidOptionError naming the variable and what it takes; never the value
 * @internal
 */
export function fromEnvironment<T>(variable: Variable<T>): T | undefined {
  const name = nameOf(variable);
  const text = process.env[name];
  if (text === undefined || text === '') return undefined;
  if (isQuoted(text)) throw new VaultInvalidOptionError(`${name} ${QUOTES_ADVICE}`);
  const value = variable.parse(text);
  if (value !== undefined) return value;
  const effect = variable.negates ? `"true" turns "${variable.option}" off` : `It sets "${variable.option}"`;
  throw new VaultInvalidOptionError(`${name} must be ${variable.takes}. ${effect}.`);
}

/**
 * Variables whose value is not used because `BAO_<name>` and `VAULT_<name>` differ and no option is given.
 *
 * @param isGiven whether an option, such as `tls.ca`, is given
 * @returns pairs of the name that counts and the name that does not
 * @internal
 */
export function conflictingVariables(
  isGiven: (option: string) => boolean,
): (readonly [used: string, unused: string])[] {
  return [...Object.values(VARIABLES), ...LOGIN].flatMap(({ name, option }) => {
    const [used, unused] = [`BAO_${name}`, `VAULT_${name}`] as const;
    const [value, other] = [process.env[used], process.env[unused]];
    return value === undefined || !other || value === other || isGiven(option) ? [] : [[used, unused] as const];
  });
}

/** Read by the login methods. */
const LOGIN = ['TOKEN', 'ROLE_ID', 'SECRET_ID'].map((name) => ({ name, option: 'auth' }));

/** Whether a value has quotes around it, which no value read from a variable has. @internal */
export function isQuoted(text: string): boolean {
  return /^\s*(["'`])[^]*\1\s*$/.test(text) && text.trim().length > 1;
}

/** What follows the name of a variable or option that {@link isQuoted}. @internal */
export const QUOTES_ADVICE =
  'has quotes around its value. "docker run --env-file" keeps quotes as part of the value. Remove them.';

/** The name a variable is read by at the moment. @internal */
export function nameOf({ name }: Variable<unknown>): string {
  return `${process.env[`BAO_${name}`] === undefined ? 'VAULT' : 'BAO'}_${name}`;
}

function variable<T>(name: string, option: string, takes: string, parse: Variable<T>['parse']): Variable<T> {
  return { name, option, takes, parse };
}

/**
 * Variable that tells a process, and its child processes, that references and sources are in its environment already:
 * `run` or `register`, `:`, and the configuration they came from.
 * @internal
 */
export const RESOLVED_BY = 'NESTJS_VAULT_RESOLVED_BY';

/** What errors about a missing endpoint or login add in a command of `nestjs-vault run`, which withholds both. @internal */
export function withheldAdvice(): string {
  return process.env[RESOLVED_BY]?.startsWith('run:')
    ? ' This process was started by "nestjs-vault run", which does not pass VAULT_*, BAO_* and credentials on: if the application uses VaultModule, add --pass-vault-env.'
    : '';
}
