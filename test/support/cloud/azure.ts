import type { FaultHandler } from '../fault-server.js';
import { answer, json } from '../fault-server.js';

const IDENTITIES = ['client-1', 'object-1'];
const unknown = json(400, { error: 'invalid_request', error_description: 'Identity not found' });

/** The instance metadata service: tokens and the machine; `tokens` counts up, so that every token is another one. */
export function azureMetadata(machine: object): FaultHandler {
  let tokens = 0;
  return (request, response) => {
    if (request.headers['metadata'] !== 'true' || request.headers['x-forwarded-for'] !== undefined)
      return answer(400)(request, response);
    const url = new URL(request.url, 'http://metadata');
    const query = url.searchParams;
    if (!query.has('api-version')) return answer(400)(request, response);
    if (url.pathname === '/metadata/instance') return json(200, { compute: machine })(request, response);
    if (url.pathname !== '/metadata/identity/oauth2/token') return answer(404)(request, response);
    const identity = query.get('client_id') ?? query.get('object_id') ?? 'system';
    if (identity !== 'system' && !IDENTITIES.includes(identity)) return unknown(request, response);
    tokens += 1;
    return json(200, { access_token: tokenFor(query.get('resource'), identity, tokens) })(request, response);
  };
}

/** The identity endpoint of App Service and Container Apps. */
export function appIdentity(secret: string): FaultHandler {
  return (request, response) => {
    if (request.headers['x-identity-header'] !== secret)
      return json(401, { message: `not ${String(request.headers['x-identity-header'])}` })(request, response);
    const url = new URL(request.url, 'http://identity');
    const query = url.searchParams;
    if (url.pathname !== '/msi/token' || query.get('api-version') !== '2019-08-01')
      return answer(404)(request, response);
    const identity = query.get('client_id') ?? query.get('principal_id') ?? 'system';
    return json(200, { access_token: tokenFor(query.get('resource'), identity, 1) })(request, response);
  };
}

/** Microsoft Entra, as far as workload identity needs it. */
export function entra(assertion: () => string): FaultHandler {
  return (request, response) => {
    const form = new URLSearchParams(request.body);
    const right =
      request.url === '/tenant-1/oauth2/v2.0/token' &&
      form.get('grant_type') === 'client_credentials' &&
      form.get('client_assertion_type') === 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' &&
      form.get('client_assertion') === assertion();
    if (!right)
      return json(400, { error: 'invalid_client', error_description: `AADSTS70021 ${form.get('client_assertion')}` })(
        request,
        response,
      );
    const resource = (form.get('scope') ?? '').replace(/\/\.default$/, '');
    return json(200, { access_token: tokenFor(resource, form.get('client_id') ?? '', 1) })(request, response);
  };
}

/** What the stand-ins hand out in place of a JWT: for whom, about whom, and the how manieth. */
export function tokenFor(resource: string | null, identity: string, count: number): string {
  return Buffer.from(JSON.stringify({ aud: resource, identity, count })).toString('base64url');
}
