import type NodeVault from 'node-vault';
import { VaultInvalidOptionError, VaultInvalidPathError } from '../errors/index.js';
import { checkEncodedPath } from './path.js';
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
const TIMERS = ['startTokenRenewal', 'startLeaseRenewal'] as const;
const LOGIN = /^auth\/.+\/login(\/|$)/;
const HEALTH = 'sys/health';

/**
 * A node-vault client over our own transport, through the seam node-vault has for that (`request-promise`).
 *
 * Token, namespace and path prefix belong to the session and the transport, so the client's own fields for them are
 * fixed: logging in or creating a token through it changes nobody's identity. Its renewal timers are replaced by a
 * refusal, because the session does that work.
 * @internal
 */
export async function createNodeVault(
  endpoint: string,
  send: (request: VaultRequest) => Promise<VaultResponse>,
): Promise<NodeVault.client> {
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
  for (const name of TIMERS) {
    fix(client, name, () => {
      throw new VaultInvalidOptionError(
        `${name}() is not available here: the module keeps tokens and leases alive itself.`,
      );
    });
  }
  return client;
}

function translate(options: NodeVaultOptions, prefix: string): VaultRequest {
  if (!options.uri.startsWith(prefix))
    throw new VaultInvalidPathError('The node-vault client may not be pointed at another address or API version.');
  const [path = '', search] = split(options.uri.slice(prefix.length), '?');
  checkEncodedPath(path);
  // A "?" in a name would cut it short and start a query; node-vault's own queries come with GET only.
  if (search !== undefined && (options.method !== 'GET' || /[\s#]/.test(search))) {
    throw new VaultInvalidPathError(
      'The path of this node-vault call contains "?" or "#", which have a meaning of their own in an address.',
    );
  }
  const query: Record<string, string> = Object.fromEntries(new URLSearchParams(search));
  // Node's HTTP parser and some proxies refuse the LIST verb; Vault takes GET with list=true everywhere.
  const list = options.method === 'LIST';
  if (list) query['list'] = 'true';
  const method = list ? 'GET' : METHODS.find((known) => known === options.method);
  if (!method) throw new VaultInvalidOptionError('The HTTP method of this node-vault call is not one Vault knows.');

  const namespace = options.namespace ?? header(options.headers, 'x-vault-namespace');
  const token = header(options.headers, 'x-vault-token') ?? (LOGIN.test(path) ? null : undefined);
  const wrapTtl = header(options.headers, 'x-vault-wrap-ttl');
  const timeoutMs = options.timeoutMs ?? options.timeout;
  const body = bodyOf(options.json);
  return {
    method,
    path,
    query,
    accept: path === HEALTH ? [429, 472, 473, 501, 503] : [],
    ...(token !== undefined && { token }),
    ...(namespace !== undefined && { namespace }),
    ...(wrapTtl !== undefined && { wrapTtl }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(options.signal && { signal: options.signal }),
    ...(body !== undefined && { body }),
  };
}

/** node-vault's commands without a schema send their whole argument object, `requestOptions` with its headers included. */
function bodyOf(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return undefined;
  const body: Record<string, unknown> = { ...json };
  delete body['requestOptions'];
  return body;
}

function header(headers: NodeVaultOptions['headers'], name: string): string | undefined {
  const found = Object.entries(headers ?? {}).find(([key]) => key.toLowerCase() === name);
  return found?.[1];
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
