import { VaultInvalidOptionError } from '../errors/index.js';
import {
  QUOTES_ADVICE,
  VARIABLES,
  readVariable,
  isQuoted,
  variableName,
  withheldAdvice,
} from '../options/environment.js';

/** More servers than any cluster has; each is asked when one is looked for. */
const MAX_ENDPOINTS = 20;

/** What `endpoint` should have been; `undefined` when it is that. @internal */
export function checkEndpoints(value: unknown): string | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.length > 0 && list.length <= MAX_ENDPOINTS && list.every((entry) => typeof entry === 'string')
    ? undefined
    : `a string, or a list of 1 to ${MAX_ENDPOINTS} strings`;
}

/**
 * The addresses of the servers, each once: the option, else `AGENT_ADDR`, else `ADDR` of the environment.
 *
 * @throws VaultInvalidOptionError naming the option or the variable
 * @internal
 */
export function resolveEndpoints(given: string | readonly string[] | undefined): readonly [string, ...string[]] {
  if (typeof given === 'string') return [checkEndpoint(given, '"endpoint"')];
  const [first, ...others] = new Set(given?.map((entry, index) => checkEndpoint(entry, `"endpoint[${index}]"`)));
  if (first === undefined) return [endpointOfEnvironment()];
  const scheme = first.split(':')[0];
  // An attacker who can stop the encrypted servers must not get the token sent in clear text.
  if (others.every((entry) => entry.split(':')[0] === scheme)) return [first, ...others];
  throw new VaultInvalidOptionError(
    'The addresses in "endpoint" differ in their scheme. Use "https://" for all of them.',
  );
}

function endpointOfEnvironment(): string {
  for (const variable of [VARIABLES.agentAddress, VARIABLES.address]) {
    const value = readVariable(variable);
    if (value === undefined) continue;
    refuseSrvLookup();
    return checkEndpoint(value, variableName(variable));
  }
  throw new VaultInvalidOptionError(
    `"endpoint" is missing. Set it to the address of Vault, such as "https://vault.example.com:8200", or set VAULT_ADDR.${withheldAdvice()}`,
  );
}

/** Left unread, the variable would send calls to the host itself, where no server may listen. */
function refuseSrvLookup(): void {
  if (readVariable(VARIABLES.srvLookup) !== true) return;
  throw new VaultInvalidOptionError(
    `${variableName(VARIABLES.srvLookup)}: looking the server up in SRV records is not supported. ` +
      'Give its address in "endpoint", or unset the variable.',
  );
}

/** What messages about an address can hold, and more than any gateway needs. */
const MAX_PREFIX_LENGTH = 200;
/** Names without an encoding: nothing in them can mean another path to a proxy than it means here. */
const PREFIX = /^(?:\/[\w.~-]+)*$/;

/**
 * Scheme, host, port and path prefix of an address, without a slash at its end; or a unix socket. The value is not quoted in
 * errors: it may hold a password.
 *
 * @throws VaultInvalidOptionError
 * @internal
 */
export function checkEndpoint(given: string, what: string): string {
  const value = given.trim();
  if (isQuoted(value)) throw new VaultInvalidOptionError(`${what} ${QUOTES_ADVICE}`);
  const example = 'Write scheme, host and port, such as "https://vault.example.com:8200".';
  if (/^unix:/i.test(value)) return checkSocket(value, what);
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const [, path] = /^https?:\/\/[^/\\?#]*([^]*)$/i.exec(value) ?? [];
  // "vault:8200" parses as a URL with the scheme "vault:".
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || path === undefined) {
    throw new VaultInvalidOptionError(
      `${what} is not an address with "http://", "https://" or "unix://" before it. ${example}`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new VaultInvalidOptionError(
      `${what} has a user name or password in it. Credentials belong in "auth". ${example}`,
    );
  }
  return url.origin + checkPrefix(path, url, what);
}

function checkPrefix(path: string, url: URL, what: string): string {
  const prefix = path.replace(/\/+$/, '');
  // URL resolves "..", drops line breaks and turns backslashes around: a path that it alters is not the one that was meant.
  if (!PREFIX.test(prefix) || prefix.length > MAX_PREFIX_LENGTH || url.pathname.replace(/\/+$/, '') !== prefix) {
    throw new VaultInvalidOptionError(
      `${what} has something after the port that is not a path prefix. A prefix consists of names of letters, digits and "-._~" ` +
        `(${MAX_PREFIX_LENGTH} characters at most), such as "https://gateway.example.com/vault": no query, no fragment, no "//", "." or "..".`,
    );
  }
  const [ending] = /\/(?:v1|ui)$|^\/ui(?=\/)/.exec(prefix) ?? [];
  if (ending === undefined) return prefix;
  const why = ending === '/v1' ? 'the module adds the API path itself' : 'that is the web interface of Vault';
  throw new VaultInvalidOptionError(
    `${what} has a path that cannot be a prefix: ${why}. Remove "${ending}" and everything after it.`,
  );
}

/** A path longer than this is silently truncated by the kernel. */
const MAX_SOCKET_PATH_LENGTH = 100;

function checkSocket(value: string, what: string): string {
  const path = value.slice('unix://'.length);
  if (/^unix:\/\/\/[\x20-\x7e]*[^/]$/i.test(value) && path.length <= MAX_SOCKET_PATH_LENGTH) return `unix://${path}`;
  throw new VaultInvalidOptionError(
    `${what} is not a Unix socket. Write three slashes and the absolute path, of at most ${MAX_SOCKET_PATH_LENGTH} printable ` +
      'characters, such as "unix:///run/vault/agent.sock".',
  );
}
