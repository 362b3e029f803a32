import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { OidcCallback } from '../../lib/auth/methods/oidc-callback.js';
import type { OidcAuth } from '../../lib/auth/methods/oidc.auth.js';
import { createLoginMethod } from '../../lib/auth/login-methods.js';
import { fixedToken } from '../../lib/client/token-source.js';
import { createVaultClient } from '../../lib/client/vault-client.js';
import { AuthBench } from '../support/auth-bench.js';
import { forwardTo, freePort, json } from '../support/fault-server.js';
import type { OidcProvider } from '../support/oidc-provider.js';
import { startOidcProvider } from '../support/oidc-provider.js';

let bench: AuthBench;
let provider: OidcProvider;
let port: number;

const refusal = (message: RegExp, more: object = {}) => ({
  code: 'VAULT_AUTHENTICATION',
  message: expect.stringMatching(message) as unknown,
  ...more,
});

beforeAll(async () => {
  [bench, provider, port] = await Promise.all([AuthBench.start(), startOidcProvider(), freePort()]);
  const { server } = bench;
  await server.request('POST', 'sys/auth/oidc', { type: 'oidc' });
  await server.request('POST', 'auth/oidc/config', {
    oidc_discovery_url: provider.issuer,
    oidc_client_id: provider.clientId,
    oidc_client_secret: provider.clientSecret,
    default_role: 'developer',
  });
  const callback = `http://localhost:${port}/oidc/callback`;
  for (const [role, more] of Object.entries({
    developer: { token_policies: 'of-developers' },
    admin: { bound_claims: { team: 'ops' } },
    elsewhere: { allowed_redirect_uris: ['http://localhost:1/other'] },
  }))
    await server.request('POST', `auth/oidc/role/${role}`, {
      role_type: 'oidc',
      user_claim: 'sub',
      allowed_redirect_uris: [callback],
      ...more,
    });
});
afterEach(async () => {
  provider.claims = {};
  provider.error = undefined;
  provider.asked.length = 0;
  await bench.reset();
});
afterAll(async () => {
  await provider.close();
  await bench.stop();
});

/** Goes to an address as a browser does; resolves with the page it ends on. */
async function browse(url: string): Promise<{ status: number; text: string; headers: Headers }> {
  const answer = await fetch(url, { redirect: 'manual' });
  const location = answer.headers.get('location');
  // The name, and not what it resolves to first: browsers try both addresses of it.
  if (location !== null) return browse(location.replace('//localhost:', '//127.0.0.1:'));
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}
/** Logs in with a browser that behaves so; resolves with the page it ended on. */
async function open(more: Partial<OidcAuth> = {}, browser: (url: string) => Promise<unknown> = browse) {
  let page: Promise<unknown> = Promise.resolve();
  const openUrl = (url: string): void => void (page = browser(url).catch((error: unknown) => error));
  const session = await bench.open({ method: 'oidc', port, openUrl, ...more }).catch(async (error: unknown) => {
    await page;
    expect(await free(port)).toBe(true);
    throw error;
  });
  return { session, page: (await page) as Awaited<ReturnType<typeof browse>> };
}
async function free(number: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(number, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

describe('oidc', () => {
  it('login with oidc uses PKCE and a nonce, and closes the listener', async () => {
    const { session, page } = await open();
    expect(session.policies).toEqual(['default', 'of-developers']);
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('You are logged in') as unknown });
    expect(page.headers.get('cache-control')).toBe('no-store');
    const [asked] = provider.asked;
    expect(asked?.get('redirect_uri')).toBe(`http://localhost:${port}/oidc/callback`);
    expect(asked?.get('code_challenge_method')).toBe('S256');
    expect(asked?.get('nonce')).toMatch(/^.{16,}/);
    expect(await free(port)).toBe(true);
    // The nonce that ties both requests together never goes to the browser, and no request carries a token.
    const [first, second] = bench.front.requests;
    const { client_nonce: nonce } = JSON.parse(first?.body ?? '') as { client_nonce: string };
    expect(new URL(second?.url ?? '', 'http://x').searchParams.get('client_nonce')).toBe(nonce);
    expect(asked?.toString()).not.toContain(nonce);
    for (const { headers } of bench.front.requests) expect(headers['x-vault-token']).toBeUndefined();
  });

  it('oidc callback accepts only the expected state', async () => {
    const { session } = await open({}, async (url) => {
      const at = `http://127.0.0.1:${port}`;
      const state = new URL(url).searchParams.get('state') ?? '';
      const tries: [string, RequestInit, number][] = [
        ['/oidc/callback', {}, 400],
        ['/oidc/callback?state=guessed&code=stolen', {}, 400],
        [`/oidc/callback?state=${state}&code=x`, { method: 'POST' }, 404],
        [`/elsewhere?state=${state}&code=x`, {}, 404],
        ['//', {}, 404],
      ];
      for (const [path, init, status] of tries) expect((await fetch(at + path, init)).status).toBe(status);
      return browse(url);
    });
    expect(session.state).toBe('active');
  });

  it.each<[string, Partial<OidcAuth>, () => void, RegExp, object]>([
    ['the provider sends the browser back with an error', {}, () => void (provider.error = 'access_denied'), /sent the browser back with access_denied\./, { reason: 'identity-provider' }],
    ['the error is made up', {}, () => void (provider.error = '<script>s.AAAAAAAAAAAAAAAAAAAAAAAA'), /sent the browser back with no code\./, { reason: 'identity-provider' }],
    ['the person lacks a claim of the role', { role: 'admin' }, () => undefined, /claim "team" is missing.*The identity provider accepted the person, and the server did not/, {}],
    ['the nonce is another', {}, () => void (provider.claims = { nonce: 'another' }), /nonce.*the server did not/, {}],
    ['the token is for another client', {}, () => void (provider.claims = { aud: 'another' }), /the server did not/, {}],
  ])('login with oidc fails when %s', async (_name, more, prepare, message, details) => {
    prepare();
    let page: Awaited<ReturnType<typeof browse>> | undefined;
    const attempt = open(more, async (url) => (page = await browse(url)));
    await expect(attempt).rejects.toMatchObject(refusal(message, details));
    expect(page).toMatchObject({ status: 403, text: expect.stringContaining('The login failed') as unknown });
    expect(page?.text).not.toContain('script>');
  }); // prettier-ignore

  it('login with oidc error names a missing role or a redirect URI that is not allowed', async () => {
    await expect(open({ role: 'nope' })).rejects.toMatchObject(
      refusal(/role "nope" does not exist|role does not exist/),
    );
    await expect(open({ role: 'elsewhere' })).rejects.toMatchObject(
      refusal(new RegExp(`"http://localhost:${port}/oidc/callback" is not among its "allowed_redirect_uris"`)),
    );
    expect(provider.asked).toEqual([]);
  });

  it('login with oidc error names a port in use', async () => {
    const other = await OidcCallback.listen(0);
    const taken = Number(new URL(other.redirectUri).port);
    await expect(bench.open({ method: 'oidc', port: taken })).rejects.toMatchObject(
      refusal(/EADDRINUSE\)\. Is another login going on\? Else choose another "auth\.port"/, { reason: 'EADDRINUSE' }),
    );
    await other.close();
    expect(bench.front.requests).toEqual([]);
  });

  it('login with oidc ends on timeout, on abort, and when openUrl fails', async () => {
    const nobody = () => Promise.resolve();
    await expect(open({ timeoutMs: 20 }, nobody)).rejects.toMatchObject({
      code: 'VAULT_TIMEOUT',
      message: expect.stringContaining('"auth.timeoutMs"') as unknown,
    });
    const boot = new AbortController();
    const method = createLoginMethod({ method: 'oidc', port, openUrl: () => boot.abort() });
    const options = { endpoint: bench.front.endpoint, tls: {}, timeoutMs: 5_000, connectTimeoutMs: 5_000, maxConnections: 1 };
    const client = await createVaultClient(options, fixedToken(undefined));
    await expect(method.login(client, boot.signal)).rejects.toMatchObject({ code: 'VAULT_ABORTED' });
    await client.close();
    const openUrl = () => Promise.reject(new TypeError('secret inside'));
    const error: unknown = await open({ openUrl }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(refusal(/"auth\.openUrl": the function failed \(TypeError\)\.$/));
    expect(await free(port)).toBe(true);
  }); // prettier-ignore

  it('login with oidc ends when the application closes', async () => {
    let come = true;
    let asked = 0;
    const { session } = await open({}, (url) => {
      asked += 1;
      return come ? browse(url) : Promise.resolve();
    });
    come = false;
    const attempt = session.relogin().catch((error: unknown) => error);
    while (asked < 2) await new Promise((resolve) => setImmediate(resolve));
    await session.close();
    expect(await attempt).toMatchObject({ code: 'VAULT_CLOSED' });
    expect(await free(port)).toBe(true);
    expect(bench.sent('revoke-self')).toHaveLength(1);
  });

  it.each([
    'javascript:alert(1)//?state=x',
    'file:///etc/passwd?state=x',
    'https://login.example.com/authorize',
    'not an address',
    7,
    undefined,
  ])('login with oidc rejects the login address %j', async (auth_url) => {
    bench.front.answerWith(json(200, { data: { auth_url } }));
    let opened = false;
    const attempt = open({}, () => Promise.resolve((opened = true)));
    await expect(attempt).rejects.toMatchObject({ code: 'VAULT_BAD_RESPONSE' });
    expect(opened).toBe(false);
  });

  it('login with oidc error hides code and nonce', async () => {
    const sent: string[] = [];
    for (const status of [400, 403, 500]) {
      bench.front.answerWith(
        forwardTo(bench.server.endpoint, {
          intercept: (request, response, forward) => {
            const { pathname, searchParams } = new URL(request.url, 'http://x');
            if (!pathname.endsWith('/oidc/callback')) return forward();
            sent.push(...searchParams.values());
            return json(status, { errors: [`got ${request.url}`, ...searchParams.values()] })(request, response);
          },
        }),
      );
      const error = (await open().catch((thrown: unknown) => thrown)) as Error;
      expect(error.message).toContain(`(status ${status})`);
      for (const secret of sent) expect(error.message).not.toContain(secret);
    }
    expect(sent).toHaveLength(9);
  });
});
