import type { client as NodeVaultClient } from 'node-vault';
import { isVaultError, VaultInvalidOptionError, VaultInvalidPathError } from '../errors/index.js';
import { isRecord } from '../options/check-options.js';
import { checkEncodedPath } from './path.js';
import type { JsonObject } from './response.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';

/** What node-vault hands to a transport, as far as it is used here. */
interface NodeVaultOptions {
  readonly method: string;
  readonly uri: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly timeout?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly namespace?: string;
  /** Present on this module's own calls. */
  readonly vaultRequest?: VaultRequest;
}

interface NodeVaultAnswer {
  readonly statusCode: number;
  readonly body: unknown;
  readonly request: { readonly path: string };
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'] as const;
/** Methods whose first argument is a path, which node-vault pastes into the address whatever it is. */
const TAKE_PATH: readonly string[] = ['read', 'write', 'update', 'list', 'delete', 'help'];
/** Not calls: the parser of responses, and the maker of further methods. */
const NO_CALLS: readonly string[] = ['handleVaultResponse', 'generateFunction'];
const TIMERS = ['startTokenRenewal', 'startLeaseRenewal'] as const;
/** A login, and not a role or user that happens to be called so. */
const LOGIN = /^auth\/.+(?<!\/(?:roles?|users?|groups?|certs))\/login(?:\/|$)/;
const HEALTH = 'sys/health';
/** What node-vault itself adds to a call, and what of a caller's `requestOptions` has an effect here. */
const KNOWN_OPTIONS: readonly string[] = [
  ...['path', 'method', 'uri', 'json', 'headers'],
  ...['timeout', 'timeoutMs', 'signal', 'namespace'],
];
/** Headers the transport sets itself, or that describe one hop. */
const OWN_HEADERS: readonly string[] = [
  ...['x-vault-token', 'x-vault-namespace', 'x-vault-wrap-ttl', 'x-vault-request'],
  ...[
    'accept',
    'accept-encoding',
    'content-type',
    'content-length',
    'host',
    'connection',
    'transfer-encoding',
    'expect',
  ],
];

/**
 * A node-vault client over our own transport, through the seam node-vault has for that (`request-promise`).
 *
 * Token, namespace and path prefix belong to the session and the transport, so the client's own fields for them are
 * fixed: logging in or creating a token through it changes nobody's identity. Its renewal timers are replaced by a
 * refusal, because the session does that work. Its methods reject with a `VaultError` and nothing else.
 * @internal
 */
export async function createNodeVault(
  endpoint: string,
  send: (request: VaultRequest) => Promise<VaultResponse>,
): Promise<NodeVaultClient> {
  const { default: nodeVault } = await import('node-vault');
  const prefix = `${endpoint}/v1/`;

  const transport = async (options: NodeVaultOptions): Promise<NodeVaultAnswer> => {
    const own = options.vaultRequest;
    // For our own calls the whole answer travels as the "body": node-vault would drop status and headers.
    if (own) return { statusCode: 200, body: await send(own), request: { path: '' } };
    const request = translate(options, prefix);
    const { status, body } = await send(request);
    // node-vault takes any path that contains sys/health for a health check, so it is shown only the real one.
    return request.path === HEALTH
      ? { statusCode: status, body, request: { path: HEALTH } }
      : { statusCode: 200, body: body ?? '', request: { path: '' } };
  };

  const config = {
    endpoint,
    debug: () => undefined,
    'request-promise': { defaults: () => transport },
  };
  const client = nodeVault(config);
  fix(client, 'token', undefined);
  fix(client, 'namespace', undefined);
  fix(client, 'pathPrefix', '');
  // Its own update() drops the headers of the call.
  client.update = (path: string, data: unknown, requestOptions?: object) =>
    client.request({ ...requestOptions, path: `/${path}`, method: 'PATCH', json: data });
  const methods = client as unknown as Record<string, unknown>;
  for (const [name, method] of Object.entries(methods)) {
    if (typeof method === 'function' && !NO_CALLS.includes(name)) methods[name] = guarded(name, method as AnyCall);
  }
  for (const name of TIMERS) {
    fix(client, name, () => {
      throw new VaultInvalidOptionError(
        `${name}() is not available here: the module keeps tokens and leases alive itself.`,
      );
    });
  }
  return client;
}

type AnyCall = (...args: readonly unknown[]) => unknown;

/** The same method, whose failures for arguments of no use are typed and never thrown at once. */
function guarded(name: string, method: AnyCall): AnyCall {
  const typed = (error: unknown): Promise<never> => {
    if (isVaultError(error)) return Promise.reject(error);
    // Of the validator, which names a parameter of the API; anything else may hold what it was given.
    const { code, params } = (error ?? {}) as { readonly code?: unknown; readonly params?: { readonly key?: unknown } };
    const missing = code === MISSING_PARAMETER ? ` ${JSON.stringify(params?.key)} is missing.` : '';
    return Promise.reject(
      new VaultInvalidOptionError(
        `Cannot call ${name}() of the node-vault client: the arguments are not those it takes.${missing} Check their types; a getter in them may throw.`,
      ),
    );
  };
  return (...args) => {
    try {
      const own = name === 'request' && (args[0] as NodeVaultOptions | undefined)?.vaultRequest !== undefined;
      if (TAKE_PATH.includes(name) && (typeof args[0] !== 'string' || args[0] === '')) {
        throw new VaultInvalidPathError(
          `${name}() of the node-vault client takes a path such as "secret/data/my-app" as its first argument.`,
        );
      }
      const result = method(...args);
      return !own && result instanceof Promise ? result.catch(typed) : result;
    } catch (error) {
      return typed(error);
    }
  };
}

/** tv4's code for a required property that is missing. */
const MISSING_PARAMETER = 302;

function translate(options: NodeVaultOptions, prefix: string): VaultRequest {
  const unknown = Object.keys(options).find((name) => !KNOWN_OPTIONS.includes(name));
  if (unknown !== undefined) {
    throw new VaultInvalidOptionError(
      `${JSON.stringify(unknown)} has no effect on a call of this node-vault client. It takes headers, timeoutMs, signal and namespace; ` +
        'query parameters belong in the path, TLS settings in the options of VaultModule.',
    );
  }
  if (!options.uri.startsWith(prefix))
    throw new VaultInvalidPathError('The node-vault client may not be pointed at another address or API version.');
  const [given = '', search] = split(options.uri.slice(prefix.length), '?');
  checkEncodedPath(given);
  const path = encodeLetters(given);
  const verb = options.method.toUpperCase();
  // A "?" in a name would cut it short and start a query; node-vault's own queries come with GET only.
  if (search !== undefined && (verb !== 'GET' || /[\s#]/.test(search))) {
    throw new VaultInvalidPathError(
      'The path of this node-vault call contains "?" or "#", which have a meaning of their own in an address.',
    );
  }
  const query: Record<string, string> = Object.fromEntries(new URLSearchParams(search));
  // Node's HTTP parser and some proxies refuse the LIST verb; Vault takes GET with list=true everywhere.
  const list = verb === 'LIST';
  if (list) query['list'] = 'true';
  const method = list ? 'GET' : METHODS.find((known) => known === verb);
  if (!method) throw new VaultInvalidOptionError('The HTTP method of this node-vault call is not one Vault knows.');

  if (options.headers !== undefined && !isRecord(options.headers)) {
    throw new VaultInvalidOptionError('"headers" of this node-vault call must be an object of names and values.');
  }
  const ofCall = lowerCase(options.headers);
  // Left out, they would stand for those of the session.
  for (const name of ['x-vault-token', 'x-vault-namespace', 'x-vault-wrap-ttl']) {
    if (name in ofCall && typeof ofCall[name] !== 'string') {
      throw new VaultInvalidOptionError(
        `The header ${JSON.stringify(name)} of this node-vault call must be a string. Without it, that of the session is sent.`,
      );
    }
  }
  const headers = Object.fromEntries(Object.entries(ofCall).filter(([name]) => !OWN_HEADERS.includes(name)));
  const namespace = options.namespace === undefined ? ofCall['x-vault-namespace'] : options.namespace;
  const token = ofCall['x-vault-token'] ?? (LOGIN.test(path) ? null : undefined);
  const wrapTtl = ofCall['x-vault-wrap-ttl'];
  const timeoutMs = options.timeoutMs ?? options.timeout;
  const body = bodyOf(options);
  return {
    method,
    path,
    query,
    headers,
    accept: path === HEALTH ? [429, 472, 473, 501, 503] : [],
    ...(token !== undefined && { token }),
    ...(namespace !== undefined && { namespace }),
    ...(wrapTtl !== undefined && { wrapTtl }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(options.signal && { signal: options.signal }),
    ...(body !== undefined && { body }),
  };
}

/**
 * node-vault's commands without a schema send their whole argument object, `requestOptions` with its headers included.
 * They are told from data with a key of that name by being the options of this very call.
 */
function bodyOf(options: NodeVaultOptions): unknown {
  const { json } = options;
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json === true ? undefined : json;
  const { requestOptions, ...body } = json as Record<string, unknown>;
  const ofThisCall =
    typeof requestOptions === 'object' &&
    requestOptions !== null &&
    Object.entries(requestOptions).every(([name, value]) => (options as unknown as JsonObject)[name] === value);
  return ofThisCall ? body : json;
}

function lowerCase(headers: NodeVaultOptions['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Names are pasted into paths unencoded; what lies beyond ASCII is encoded here, as the engines of this module do. */
function encodeLetters(path: string): string {
  return path.replace(/[^\x21-\x7e]+/g, (letters) => encodeURIComponent(letters));
}

function split(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function fix(target: object, property: string, value: unknown): void {
  Object.defineProperty(target, property, {
    get: () => value,
    set: () => undefined,
    enumerable: true,
    configurable: false,
  });
}
