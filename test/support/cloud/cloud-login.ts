import { verify } from 'node:crypto';
import type { FaultHandler, RecordedRequest } from '../fault-server.js';
import { forwardTo, json, vaultError } from '../fault-server.js';

/** What arrives at a login path, decoded. */
export type LoginBody = Readonly<Record<string, string | undefined>>;

/** What lets somebody in: a real server, and how to ask it for a token. */
export interface TokenIssuer {
  readonly server: { readonly endpoint: string };
  ask<T>(method: string, path: string, body?: object, namespace?: string): Promise<T>;
}

/**
 * Stands in for login methods that OpenBao does not have: requests to `auth/<mount>/login` are judged by `check`, which
 * returns the reason of a refusal; who is let in gets a token of the real server, which answers everything else too.
 */
export function cloudLogin(
  issuer: TokenIssuer,
  mount: string,
  check: (body: LoginBody, request: RecordedRequest) => string | undefined,
): FaultHandler {
  const server = forwardTo(issuer.server.endpoint);
  return async (request, response) => {
    if (request.url !== `/v1/auth/${mount}/login`) return server(request, response);
    const refusal = check(JSON.parse(request.body) as LoginBody, request);
    if (refusal !== undefined) return vaultError(400, [refusal])(request, response);
    const namespace = request.headers['x-vault-namespace'] as string | undefined;
    const auth = await issuer.ask<object>('POST', 'auth/token/create', { policies: ['app'], ttl: '1h' }, namespace);
    return json(200, { auth })(request, response);
  };
}

/** Header and payload of a JWT whose RS256 signature this key has made; `undefined` for any other. */
export function readJwt(
  jwt: string | undefined,
  publicKey: string,
): { readonly header: Record<string, unknown>; readonly payload: Record<string, unknown> } | undefined {
  const [header = '', payload = '', signature = '', ...rest] = (jwt ?? '').split('.');
  const signed = verify('sha256', Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, 'base64url'));
  if (!signed || rest.length > 0) return undefined;
  const parse = (part: string) =>
    JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
  return { header: parse(header), payload: parse(payload) };
}
