import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createJwtIssuer } from './jwt-issuer.js';

/** An OpenID Connect provider at which everybody is `alice` and nobody is asked for a password. */
export interface OidcProvider {
  /** `oidc_discovery_url` */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** What was asked of the authorization endpoint. */
  readonly asked: URLSearchParams[];
  /** Claims that differ from those of alice, from now on. */
  claims: Record<string, unknown>;
  /** Sends the browser back with this error, from now on. */
  error: string | undefined;
  close(): Promise<void>;
}

export async function startOidcProvider(): Promise<OidcProvider> {
  const keys = createJwtIssuer();
  const codes = new Map<string, URLSearchParams>();
  const send = (response: ServerResponse, status: number, body: object): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? '/', provider.issuer);
    const { issuer, clientId, clientSecret } = provider;
    switch (pathname) {
      case '/.well-known/openid-configuration':
        return send(response, 200, {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/keys`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['RS256'],
        });
      case '/keys':
        return send(response, 200, { keys: [keys.jwk] });
      case '/authorize': {
        provider.asked.push(searchParams);
        const back = new URL(searchParams.get('redirect_uri') ?? '');
        back.searchParams.set('state', searchParams.get('state') ?? '');
        const code = randomUUID();
        codes.set(code, searchParams);
        if (provider.error === undefined) back.searchParams.set('code', code);
        else back.searchParams.set('error', provider.error);
        return void response.writeHead(302, { location: back.href }).end();
      }
      case '/token': {
        const form = new URLSearchParams(await text(request));
        const asked = codes.get(form.get('code') ?? '');
        codes.delete(form.get('code') ?? '');
        const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url'); // prettier-ignore
        const basic = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
        const known = request.headers.authorization === basic || form.get('client_secret') === clientSecret;
        if (!known || asked?.get('code_challenge') !== challenge)
          return send(response, 400, { error: 'invalid_grant' });
        const id = { iss: issuer, aud: clientId, sub: 'alice', nonce: asked.get('nonce'), ...provider.claims };
        return send(response, 200, { access_token: randomUUID(), token_type: 'Bearer', id_token: keys.sign(id) });
      }
      default:
        return send(response, 404, {});
    }
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const provider: OidcProvider = {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    clientId: 'vault',
    clientSecret: randomUUID(),
    asked: [],
    claims: {},
    error: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return provider;
}
