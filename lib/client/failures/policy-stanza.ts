import type { VaultRequest } from '../vault-request.js';

/** The stanza that would allow a request. @internal */
export function policyStanza(request: Pick<VaultRequest, 'method' | 'path' | 'query'>): string {
  let capabilities: string;
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      capabilities = request.query?.['list'] ? '"list"' : '"read"';
      break;
    case 'PATCH':
      capabilities = '"patch"';
      break;
    case 'DELETE':
      capabilities = '"delete"';
      break;
    case 'POST':
    case 'PUT':
      capabilities = '"create", "update"';
  }
  const path = request.path.split('/').map(decodeURIComponent).join('/');
  return `path ${JSON.stringify(path)} { capabilities = [${capabilities}] }`;
}
