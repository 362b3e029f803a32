import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VaultAuth, VaultModuleOptions } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { createCertificates, startVaultServer } from '../../lib/testing/index.js';
import { canary, track } from './canary.js';
import { forwardTo, startFaultServer } from './fault-server.js';
import { createJwtIssuer, seconds } from './jwt-issuer.js';
import { startOidcProvider } from './oidc-provider.js';
import { startRadiusServer } from './radius-server.js';
import { startTokenReviewServer } from './token-review-server.js';

/** Ways to log in with marked secrets. Functions are written as strings; `canary-program.ts` makes them functions again. */
export interface CanaryLogins {
  readonly accepted: readonly VaultModuleOptions[];
  readonly refused: readonly VaultModuleOptions[];
  close(): Promise<void>;
}

/**
 * Sets the server up for every login method that needs somebody else to confirm who one is.
 *
 * @param policy what the logins may do
 * @param policyText the same for a second server
 * @param folder for files with tokens
 */
export async function prepareCanaryLogins(
  server: VaultServer,
  { policy, policyText, folder }: { policy: string; policyText: string; folder: string },
): Promise<CanaryLogins> {
  const { endpoint } = server;
  const issuer = createJwtIssuer();
  const password = canary('radius-password');
  const [cluster, radius, provider, certificates] = await Promise.all([
    startTokenReviewServer(),
    startRadiusServer({ app: password }),
    startOidcProvider(),
    createCertificates({ client: true }),
  ]);
  const account = { sub: 'system:serviceaccount:shop:cart', uid: 'u-1' };
  cluster.review = () => ({ authenticated: true, user: { username: account.sub, uid: account.uid } });
  const claims = {
    iss: 'ci',
    sub: account.sub,
    'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'cart', uid: account.uid } },
  };
  const jwt = (name: string, more: object = {}): string => {
    const token = issuer.sign({ ...claims, jti: canary(`${name}-claim`), ...more });
    return track(name, token);
  };
  const write = (path: string, body: object): Promise<unknown> => server.request('POST', path, body);
  for (const type of ['jwt', 'kubernetes', 'radius', 'oidc', 'cert']) await write(`sys/auth/${type}`, { type });
  const role = { user_claim: 'sub', token_policies: policy };
  await write('auth/jwt/config', { jwt_validation_pubkeys: [issuer.publicKey], default_role: 'app' });
  await write('auth/jwt/role/app', { ...role, role_type: 'jwt', bound_claims: { iss: 'ci' } });
  await write('auth/kubernetes/config', {
    kubernetes_host: cluster.endpoint,
    kubernetes_ca_cert: cluster.ca,
    token_reviewer_jwt: issuer.sign(claims),
    disable_local_ca_jwt: true,
  });
  await write('auth/kubernetes/role/app', {
    bound_service_account_names: ['cart'],
    bound_service_account_namespaces: ['shop'],
    token_policies: policy,
  });
  const { port, secret } = radius;
  await write('auth/radius/config', { host: '127.0.0.1', port, secret, unregistered_user_policies: policy });
  await write('auth/oidc/config', {
    oidc_discovery_url: provider.issuer,
    oidc_client_id: provider.clientId,
    oidc_client_secret: track('oidc-client-secret', provider.clientSecret),
    default_role: 'app',
  });
  await write('auth/oidc/role/app', {
    ...role,
    role_type: 'oidc',
    allowed_redirect_uris: ['http://localhost/oidc/callback'],
  });
  const newToken = async (name: string): Promise<string> => {
    const id = canary(name);
    await write('auth/token/create', { id, policies: [policy] });
    return id;
  };
  const file = async (name: string, content: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  };
  const tokenOfAgent = await newToken('token-of-agent');
  const agent = await startFaultServer((request, response) =>
    forwardTo(endpoint)({ ...request, headers: { ...request.headers, 'x-vault-token': tokenOfAgent } }, response),
  );
  // Client certificates need TLS, and so a server of their own.
  const secure = await startVaultServer({
    tls: { ...certificates, client: undefined },
    rootToken: canary('root-of-tls'),
  });
  await secure.seed({ 'secret/canary/app': { text: 'text' } });
  await secure.request('PUT', `sys/policies/acl/${policy}`, { policy: policyText });
  await secure.request('POST', 'sys/auth/cert', { type: 'cert' });
  await secure.request('POST', 'auth/cert/certs/app', { certificate: certificates.ca, token_policies: policy });
  const { cert, key } = certificates.client as { cert: string; key: string };
  track('key-of-cert-login', key.split('\n')[1] as string);
  const tls = { ca: certificates.ca, cert, key };

  const at = (auth: unknown, more: VaultModuleOptions = {}): VaultModuleOptions => ({
    endpoint,
    auth: auth as VaultAuth,
    config: { sources: ['canary/app'] },
    ...more,
  });
  return {
    accepted: [
      at({ method: 'jwt', jwt: jwt('jwt') }),
      at({ method: 'kubernetes', role: 'app', jwt: jwt('service-account') }),
      at({ method: 'radius', username: 'app', password }),
      at({ method: 'oidc', port: 0, openUrl: 'follow' }),
      at({ method: 'token-file', file: await file('sink', await newToken('token-in-file')) }),
      at({ method: 'custom', login: await newToken('token-of-function') }),
      at({ method: 'none' }, { endpoint: agent.endpoint }),
      at({ method: 'cert', name: 'app' }, { endpoint: secure.endpoint, tls }),
    ],
    refused: [
      at({ method: 'jwt', jwt: jwt('expired-jwt', { exp: seconds(-600), nbf: seconds(-900) }) }),
      at({ method: 'jwt', jwt: canary('no-jwt') }),
      at({ method: 'jwt', jwt: jwt('jwt-of-no-role'), role: 'nope' }),
      at({ method: 'kubernetes', role: 'app', jwt: jwt('other-account', { 'kubernetes.io': {} }) }),
      at({ method: 'radius', username: 'app', password: canary('wrong-radius-password') }),
      at({ method: 'oidc', port: 0, role: 'nope', openUrl: 'follow' }),
      at({ method: 'oidc', port: 0, openUrl: `fail:${canary('in-the-error-of-openurl')}` }),
      at({ method: 'token-file', file: await file('bad-sink', `${canary('half-a-token')} x`) }),
      at({ method: 'token-file', file: await file('json-sink', JSON.stringify({ token: canary('spent-wrapping') })) }),
      at({ method: 'custom', login: canary('unknown-token-of-function') }),
      at({ method: 'custom', login: `fail:${canary('in-the-error-of-function')}` }),
      at({ method: 'github', token: canary('github-token') }),
      at({ method: 'okta', username: 'app', password: canary('okta-password'), totp: canary('okta-totp') }),
      at({ method: 'cert' }, { tls }),
      at({ method: 'cert', name: 'nope' }, { endpoint: secure.endpoint, tls }),
    ],
    close: async () => {
      await Promise.all([cluster.close(), radius.close(), provider.close(), agent.close(), secure.stop()]);
    },
  };
}
