import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { VaultError, VaultModuleOptions } from '../../lib/index.js';
import { VaultModule, vaultConfig } from '../../lib/index.js';
import { createCertificates } from '../../lib/testing/index.js';
import { AuthBench } from '../support/auth-bench.js';
import { bootApplication } from '../support/boot-application.js';
import { canary, findLeaks, renderError } from '../support/canary.js';
import * as fault from '../support/fault-server.js';

const PASSWORD = canary('password');
/** Enough for a try, and for a login and a read, on a busy machine too. */
const [ONE_TRY, AFTER_LOGIN] = [{ timeoutMs: 1_000 }, { timeoutMs: 2_000 }];

let bench: AuthBench;
const ends: (() => Promise<void>)[] = [];
beforeAll(async () => {
  bench = await AuthBench.start();
  const { server } = bench;
  await server.seed({ 'secret/app': { A: '1' }, 'secret/other': { B: '2' } });
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('PUT', 'sys/policies/acl/app', { policy: 'path "secret/data/*" { capabilities = ["read"] }' });
  await server.request('POST', 'auth/userpass/users/app', { password: PASSWORD, token_policies: ['app'] });
});
afterEach(async () => {
  await bench.reset();
  for (const end of ends.splice(0)) await end();
});
afterAll(() => bench.stop());

async function serve(...args: Parameters<typeof fault.startFaultServer>): Promise<string> {
  const server = await fault.startFaultServer(...args);
  ends.push(() => server.close());
  return server.endpoint;
}

/** What is said of a boot that runs out of time with these options. */
async function boot(options: VaultModuleOptions, ...features: Parameters<typeof VaultModule.forFeature>) {
  const given = {
    endpoint: bench.front.endpoint,
    auth: { method: 'userpass', username: 'app', password: PASSWORD },
    config: { sources: ['app'] },
    boot: ONE_TRY,
    ...options,
  } satisfies VaultModuleOptions;
  class AppModule {}
  const imports = [VaultModule.forRoot(given), ...(features.length > 0 ? [VaultModule.forFeature(...features)] : [])];
  const error = (await bootApplication({ module: AppModule, imports }).then(
    (app) => app.close(),
    (thrown: unknown) => thrown,
  )) as VaultError;
  expect(error).toMatchObject({ code: 'VAULT_TIMEOUT', operation: 'boot' });
  expect(error.message).toMatch(
    /^The application could not be booted on \S+ within [12]000 ms \("boot\.timeoutMs"\)\. /,
  );
  expect(findLeaks(renderError(error))).toEqual([]);
  return error.message;
}

/** The calls whose path ends so get no answer. */
const hold = (...paths: string[]): void =>
  bench.intercept(({ url }, _response, forward) => (paths.some((path) => url.endsWith(path)) ? undefined : forward()));
const forever = () => new Promise<never>(() => undefined);
const LOGIN = 'log in with userpass (auth/userpass)';

describe('a boot that runs out of time tells what its last try met, and the fix:', () => {
  it('a refused connection', async () => {
    const endpoint = `http://127.0.0.1:${await fault.freePort()}`;
    const said = await boot({ endpoint });
    expect(said).toContain(`Cannot ${LOGIN} at ${endpoint}`);
    expect(said).toMatch(/ECONNREFUSED\. Nothing is listening on that port\. Check "endpoint" \(VAULT_ADDR\)/);
  });

  it('a status of a load balancer, while it is waited as long as that asks for', async () => {
    const busy: fault.FaultHandler = (_, response) => void response.writeHead(503).end('<h1>busy</h1>');
    expect(await boot({ endpoint: await serve(busy), auth: { method: 'token', token: PASSWORD } })).toMatch(
      /status 503\. The body is not Vault’s: a proxy/,
    );
  });

  it('a name that is not known', async () => {
    // Too long for a name, so that no name server is asked, however far away that is.
    const endpoint = `http://${'v'.repeat(64)}.invalid:8200`;
    expect(await boot({ endpoint })).toMatch(/ENOTFOUND\. The host name .* DNS/);
  });

  it('a connection that breaks', async () => {
    const endpoint = await serve(fault.reset());
    expect(await boot({ endpoint, request: { retries: 5 }, auth: { method: 'token', token: PASSWORD } })).toMatch(
      /Cannot look up .* ECONNRESET\. The connection broke\. .* log of the server/,
    );
  });

  it('several servers, none of them fit', async () => {
    const refused = `http://127.0.0.1:${await fault.freePort()}`;
    const failing = await serve(fault.json(500, { errors: ['inside'] }));
    const said = await boot({ endpoint: [refused, failing] });
    expect(said).toContain(`none of ${refused} (ECONNREFUSED), ${failing} (status 500) was fit to be asked`);
  });
});

describe('a boot that runs out of time tells what it waits for:', () => {
  it('the answer to a login', async () => {
    hold('/login/app');
    expect(await boot({})).toContain(`No response from the server: ${LOGIN}. Check its health.`);
  });

  it('a connection', async () => {
    const { ca } = await createCertificates();
    const endpoint = (await serve('deaf')).replace('http:', 'https:');
    expect(await boot({ endpoint, tls: { ca } })).toContain(`There was no connection to: ${LOGIN}. Check "endpoint"`);
  });

  it('some of the sources, while another one is refused', async () => {
    hold('/data/app', '/data/other');
    const said = await boot({
      boot: AFTER_LOGIN,
      config: { sources: ['app', { secretPath: 'x', mountPath: 'denied' }, 'other'] },
    });
    expect(said).toMatch(
      /^ {2}\d\. Cannot read KV v2 secret "x" in mount "denied" .*permission denied.* path "denied\/data\/x"/m,
    );
    expect(said).toMatch(
      /^ {2}\d\. No response from the server: read KV v2 secret "app" in mount "secret"; read KV v2 secret "other" in mount "secret"\./m,
    );
  });

  it('a namespace of forFeature', async () => {
    hold('/data/other');
    expect(await boot({ boot: AFTER_LOGIN }, vaultConfig('other', { secretPath: 'other' }))).toContain(
      'No response from the server: read KV v2 secret "other" in mount "secret".',
    );
  });

  it('so many that a few are named', async () => {
    bench.intercept(({ url }, _response, forward) => (url.includes('/data/') ? undefined : forward()));
    const said = await boot({
      boot: AFTER_LOGIN,
      config: { sources: Array.from({ length: 50 }, (_, index) => `s${index}`) },
    });
    expect(said).toMatch(/read KV v2 secret "s4" in mount "secret"; and 45 more\./);
  });

  it('the rate limit', async () => {
    const request = { rateLimit: '0.1:1' };
    const said = await boot({ boot: AFTER_LOGIN, request, config: { sources: ['app', 'other'] } });
    expect(said).toMatch(/"request\.rateLimit" \(VAULT_RATE_LIMIT\) left no turn for: read KV v2 secret "app"/);
  });

  it.each<[string, VaultModuleOptions, RegExp]>([
    ['a credential', { auth: { method: 'userpass', username: 'app', password: forever } }, /function .* in "auth"/],
    ['a login function', { auth: { method: 'custom', login: forever } }, /function .* in "auth"/],
    [
      'a login function that heeds the signal',
      {
        auth: {
          method: 'custom',
          login: ({ signal }) =>
            new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error(PASSWORD)))),
        },
      },
      /function in "auth\.login".*had not returned/,
    ],
    ['a person', { auth: { method: 'oidc' } }, /nobody had logged in with the browser/],
    ['an unseal key', { unseal: { keys: [forever] } }, /"unseal\.keys"/],
    ['a factory', { boot: AFTER_LOGIN, config: { load: [forever] } }, /"config\.load"/],
  ])('a function: %s', async (_, options, expected) => {
    if (_ === 'a person') bench.front.answerWith(fault.json(200, { data: { auth_url: 'https://idp.test/?state=s' } }));
    expect(await boot(options)).toMatch(expected);
  });
});
