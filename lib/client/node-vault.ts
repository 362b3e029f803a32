import type NodeVault from 'node-vault';
import type { client as NodeVaultClient } from 'node-vault';
import { isVaultError, VaultInvalidOptionError, VaultInvalidPathError } from '../errors/index.js';
import { isRecord } from '../options/check-options.js';
import { checkEncodedPath } from './path.js';
import type { Pipeline } from './request-pipeline.js';
import type { JsonObject, VaultRequest, VaultResponse } from './vault-request.js';
import type { TokenSource } from './token-source.js';

/** What node-vault passes to `request-promise` for a request of the application, as far as it is used here. */
interface NodeVaultOptions {
  readonly method: string;
  readonly uri: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly timeout?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly namespace?: string;
}

interface NodeVaultResponse {
  readonly statusCode: number;
  readonly body: unknown;
  readonly request: { readonly path: string };
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'] as const;
/** Methods whose first argument is a path, which node-vault puts into the address unchecked. */
const PATH_METHODS: readonly string[] = ['read', 'write', 'update', 'list', 'delete', 'help'];
/** Methods that send nothing: the parser of responses, and the generator of further methods. */
const LOCAL_METHODS: readonly string[] = ['handleVaultResponse', 'generateFunction'];
const TIMERS = ['startTokenRenewal', 'startLeaseRenewal'] as const;
/** A login, and not a role or user of that name. */
const LOGIN = /^auth\/.+(?<!\/(?:roles?|users?|groups?|certs))\/login(?:\/|$)/;
const HEALTH = 'sys/health';
/** What node-vault itself adds to a call, and the `requestOptions` of a caller that have an effect here. */
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

/** What the binding passes to node-vault, with all fields that node-vault sets, so that it adds none. */
interface OwnRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly uri: string;
  readonly request: VaultRequest;
  readonly tokens: TokenSource;
}

/** node-vault checks every call against a schema of two properties. tv4, which it uses for that, costs as much as the rest. */
const REQUEST_VALIDATOR = {
  validate: ({ path, method }: OwnRequest): boolean => typeof path === 'string' && typeof method === 'string',
  error: undefined,
};

/** Loads the package, which importing this one does not. @internal */
export async function loadNodeVault(): Promise<typeof NodeVault> {
  return (await import('node-vault')).default;
}

/**
 * node-vault over a pipeline, through the option that it has for other HTTP clients (`request-promise`): one client for the
 * module's own requests, and for each source of tokens one that the application uses.
 * @internal
 */
export class NodeVaultBinding {
  readonly #nodeVault: typeof NodeVault;
  readonly #pipeline: Pipeline;
  readonly #own: NodeVaultClient;
  readonly #clients = new Map<TokenSource, NodeVaultClient>();

  constructor(nodeVault: typeof NodeVault, pipeline: Pipeline) {
    this.#nodeVault = nodeVault;
    this.#pipeline = pipeline;
    this.#own = nodeVault({
      endpoint: pipeline.endpoint,
      debug: () => undefined,
      commands: {},
      tv4: REQUEST_VALIDATOR as never,
      'request-promise': {
        defaults:
          () =>
          ({ request, tokens }: OwnRequest): Promise<VaultResponse> =>
            pipeline.send(request, tokens),
      },
    });
    this.#own.handleVaultResponse = ((response: VaultResponse) => response) as never;
    // Taken from the environment; the pipeline sets both.
    this.#own.token = '';
    (this.#own as { namespace?: string }).namespace = '';
  }

  /** Sends a request of the module. */
  request(request: VaultRequest, tokens: TokenSource): Promise<VaultResponse> {
    const own: OwnRequest = { method: request.method, path: `/${request.path}`, headers: {}, uri: '', request, tokens };
    return this.#own.request(own);
  }

  /** The client of the application; made once. */
  clientFor(tokens: TokenSource): NodeVaultClient {
    let client = this.#clients.get(tokens);
    if (!client) {
      client = createApplicationClient(this.#nodeVault, this.#pipeline, tokens);
      this.#clients.set(tokens, client);
    }
    return client;
  }
}

/**
 * A client for the application. Token, namespace and path prefix belong to the session and the pipeline, so its own fields for
 * them are fixed: logging in or creating a token through it changes no identity. Its renewal timers throw, because the session
 * does that work. Its methods reject with a `VaultError` and nothing else.
 */
function createApplicationClient(
  nodeVault: typeof NodeVault,
  pipeline: Pipeline,
  tokens: TokenSource,
): NodeVaultClient {
  const { endpoint } = pipeline;
  const prefix = `${endpoint}/v1/`;
  const send = async (options: NodeVaultOptions): Promise<NodeVaultResponse> => {
    const request = translate(options, prefix);
    const { status, body } = await pipeline.send(request, tokens);
    // node-vault takes any path that contains sys/health for a health check, so it gets to see only the real one.
    return request.path === HEALTH
      ? { statusCode: status, body, request: { path: HEALTH } }
      : { statusCode: 200, body: body ?? '', request: { path: '' } };
  };
  const client = nodeVault({ endpoint, debug: () => undefined, 'request-promise': { defaults: () => send } });
  lockProperty(client, 'token', undefined);
  lockProperty(client, 'namespace', undefined);
  lockProperty(client, 'pathPrefix', '');
  // Its own update() drops the headers of the call.
  client.update = (path: string, data: unknown, requestOptions?: object) =>
    client.request({ ...requestOptions, path: `/${path}`, method: 'PATCH', json: data });
  const methods = client as unknown as Record<string, unknown>;
  for (const [name, method] of Object.entries(methods)) {
    if (typeof method === 'function' && !LOCAL_METHODS.includes(name)) methods[name] = guarded(name, method as AnyCall);
  }
  for (const name of TIMERS) {
    lockProperty(client, name, () => {
      throw new VaultInvalidOptionError(
        `${name}() is not available here: the module keeps tokens and leases alive itself.`,
      );
    });
  }
  return client;
}

type AnyCall = (...args: readonly unknown[]) => unknown;

/** The same method, whose failures for unusable arguments are typed and always a rejection. */
function guarded(name: string, method: AnyCall): AnyCall {
  const typed = (error: unknown): Promise<never> => {
    if (isVaultError(error)) return Promise.reject(error);
    // An error of the validator names a parameter of the API; any other may hold the arguments.
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
      if (PATH_METHODS.includes(name) && (typeof args[0] !== 'string' || args[0] === '')) {
        throw new VaultInvalidPathError(
          `${name}() of the node-vault client takes a path such as "secret/data/my-app" as its first argument.`,
        );
      }
      const result = method(...args);
      return result instanceof Promise ? result.catch(typed) : result;
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
    token,
    namespace,
    wrapTtl,
    timeoutMs,
    signal: options.signal ?? undefined,
    body,
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

function lockProperty(target: object, property: string, value: unknown): void {
  Object.defineProperty(target, property, {
    get: () => value,
    set: () => undefined,
    enumerable: true,
    configurable: false,
  });
}
