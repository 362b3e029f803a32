import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { VaultAuth, VaultModuleOptions } from '../../lib/index.js';
import { SecretReads } from '../../lib/config/sources/read-secrets.js';
import { resolveConfig } from '../../lib/config/resolve-config.js';
import { ConfigSnapshot } from '../../lib/config/snapshot/config-snapshot.js';
import type { ResolvedSnapshot, VaultSnapshotOptions } from '../../lib/config/snapshot/snapshot.options.js';
import { resolveSnapshot } from '../../lib/config/snapshot/snapshot.options.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { createCertificates, startVaultServer } from '../../lib/testing/index.js';
import { canary, findLeaks, track } from '../support/canary.js';
import { prepareCanaryLogins } from '../support/canary-logins.js';
import type { CloudCanaries } from '../support/cloud/canary-logins.js';
import { cloudCanaries } from '../support/cloud/canary-logins.js';
import { startConnectProxy } from '../support/connect-proxy.js';
import * as fault from '../support/fault-server.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const url = (path: string): string => pathToFileURL(join(root, path)).href;
const closing: (() => Promise<unknown>)[] = [];
const secret = {
  secret_id: canary('body-secret-id'),
  password: canary('value-text'),
  nested: { list: [canary('value-nested')] },
  text: 'text',
};

const config = { sources: ['canary/app', { secretPath: 'canary/app', as: 'again', files: ['password'] }] };

/** A proxy that does not let anybody through. */
const PROXY_REFUSES = 'HTTP/1.1 407 Proxy Authentication Required\r\nconnection: close\r\n\r\n';

let server: VaultServer;
let folder: string;
let snapshots: string;
/** Where tokens lie in files, which is not where the program runs. */
let files: string;
let boots: VaultModuleOptions[];
let proxied: { proxy: string; boots: VaultModuleOptions[] };
/** How many of them succeed: one for each way to log in, one through a proxy, one that exports its values, one that keeps a
 * snapshot and one that starts on one, and the sealed server that is unsealed. */
let successes: number;
let cloud: CloudCanaries;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canary-spec-'));
  snapshots = await mkdtemp(join(tmpdir(), 'canary-snapshots-'));
  server = await startVaultServer({ rootToken: canary('root-token') });
  closing.push(() => server.stop());
  await server.seed({ 'secret/canary/app': secret });
  for (const type of ['userpass', 'approle']) await server.request('POST', `sys/auth/${type}`, { type });
  const policyText =
    'path "secret/data/canary/app" { capabilities = ["read", "patch"] }\npath "secret/data/canary/written" { capabilities = ["create", "update", "patch", "read"] }';
  await server.request('PUT', 'sys/policies/acl/app', { policy: policyText });
  files = await mkdtemp(join(tmpdir(), 'canary-files-'));
  const more = await prepareCanaryLogins(server, { policy: 'app', policyText, folder: files });
  closing.push(() => more.close());
  const password = canary('password');
  await server.request('POST', 'auth/userpass/users/app', { password, token_policies: ['app'] });
  await enforceSecondFactor('second', password);
  await server.request('POST', 'auth/approle/role/app', { token_policies: ['app'] });
  const { role_id: roleId } = (
    (await server.request('GET', 'auth/approle/role/app/role-id')).body as { data: { role_id: string } }
  ).data;
  const secretId = canary('secret-id');
  await server.request('POST', 'auth/approle/role/app/custom-secret-id', { secret_id: secretId });
  const token = canary('token').replaceAll('.', '-');
  await server.request('POST', 'auth/token/create', { id: token, policies: ['app'] });
  const bootstrap = canary('bootstrap-token');
  await server.request('POST', 'auth/token/create', { id: bootstrap, policies: ['root'] });
  const wrap = async (path: string): Promise<string> => {
    const headers = { 'x-vault-token': server.rootToken, 'x-vault-wrap-ttl': '300' };
    const answer = await fetch(`${server.endpoint}/v1/${path}`, { method: 'POST', headers, body: '{}' });
    return track('wrapping-token', ((await answer.json()) as { wrap_info: { token: string } }).wrap_info.token);
  };

  const echo = await fault.startFaultServer((request, response) => {
    const words = String(request.headers.authorization ?? '').split(' ');
    const errors = [JSON.stringify(request.headers), ...words, request.body, `with ${request.body}`];
    const body = JSON.stringify({ errors });
    response.writeHead(400, { 'content-type': 'application/json' }).end(body);
  });
  const page = await fault.startFaultServer(fault.html());
  const quiet = await fault.startFaultServer(fault.silent());
  const certificates = await createCertificates({ client: true });
  const secure = await fault.startFaultServer(fault.html(), {
    tls: { cert: certificates.cert, key: certificates.key },
  });
  for (const one of [echo, page, quiet, secure]) closing.push(() => one.close());
  const sealed = await startVaultServer({ storage: 'file', seal: { shares: 2, threshold: 2 } });
  closing.push(() => sealed.stop());
  await sealed.seal();
  const keys = sealed.unsealKeys.map((key, index) => track(`unseal-key-${index}`, key));
  track('root-token-of-sealed', sealed.rootToken);
  const snapshot = (file: string) => ({
    file: join(snapshots, file),
    key: canary('snapshot-passphrase'),
  });
  const kept = snapshot('kept');
  await keepSnapshot(kept, sealed.endpoint);

  const logins: VaultAuth[] = [
    { method: 'token', token },
    { method: 'userpass', username: 'app', password },
    { method: 'approle', roleId, secretId },
    { method: 'approle', roleId, secretId: { wrapped: await wrap('auth/approle/role/app/secret-id') } },
    { method: 'approle', secretId: { token: bootstrap, roleName: 'app' } },
  ];
  const refused: VaultAuth[] = [
    { method: 'token', token: canary('unknown-token') },
    { method: 'token', token: `${canary('token-with-space')} x` },
    { method: 'userpass', username: 'app', password: canary('wrong-password') },
    { method: 'userpass', username: 'second', password, mfa: { totp: canary('wrong-passcode') } },
    { method: 'userpass', username: 'app', mountPath: 'nowhere', password: canary('password-of-nowhere') },
    { method: 'approle', roleId, secretId: canary('wrong-secret-id') },
    { method: 'approle', roleId, secretId: { wrapped: await wrap('auth/token/create') } },
    { method: 'approle', secretId: { token: canary('wrong-bootstrap-token'), roleName: 'app' } },
  ];
  cloud = await cloudCanaries({
    server,
    ask: async <T>(method: string, path: string, body?: object) =>
      ((await server.request(method, path, body)).body as { auth: T }).auth,
  });
  closing.push(() => cloud.close());
  successes = logins.length + more.accepted.length + cloud.logins.length + 6;
  const [tunnel, closed] = [await startConnectProxy(), await startConnectProxy(PROXY_REFUSES)];
  for (const one of [tunnel, closed]) closing.push(() => one.close());
  const guarded = {
    headers: { authorization: `Bearer ${canary('gateway-token')}`, cookie: `session=${canary('cookie')}; theme=dark` },
    retries: 0,
  };
  const through = (port: number) => ({
    ...guarded,
    proxy: `http://${canary('proxy-user')}:${canary('proxy-password')}@127.0.0.1:${port}`,
  });
  const at = (endpoint: string, more: VaultModuleOptions = {}): VaultModuleOptions[] =>
    [...logins, ...refused]
      .slice(0, 6)
      .map((auth) => ({ endpoint, auth, config, request: { timeoutMs: 100 }, ...more }));
  const { ca, key, cert } = {
    ca: certificates.ca,
    ...(certificates.client as { key: string; cert: string }),
  };
  const tls = { key, cert, ca, passphrase: canary('passphrase') };
  track('client-key', key.split('\n')[1] as string);
  boots = [
    ...logins.map((auth) => ({ endpoint: server.endpoint, auth, config })),
    ...refused.map((auth) => ({ endpoint: server.endpoint, auth, config })),
    ...[...cloud.logins, ...cloud.refused].map((auth) => ({ endpoint: cloud.endpoint, auth, config })),
    ...cloud.logins.map((auth) => ({ endpoint: echo.endpoint, auth, config })),
    {
      endpoint: server.endpoint,
      auth: { method: 'token', token },
      config: { sources: ['canary/denied', 'canary/app'] },
    },
    ...[
      { sources: ['canary/denied', { secretPath: 'canary/denied', as: 'denied' }], load: [] },
      { sources: [{ secretPath: 'canary', below: 'all' as const }] },
      { sources: [{ secretPath: 'canary/absent', optional: true }, 'canary/denied'] },
    ].map((failing) => ({ endpoint: server.endpoint, auth: { method: 'token', token } as const, config: failing })),
    ...[true, ['again.text', 'absent']].map((exportToProcessEnv) => ({
      endpoint: server.endpoint,
      auth: { method: 'token', token } as const,
      config: { ...config, exportToProcessEnv },
    })),
    {
      endpoint: server.endpoint,
      auth: { method: 'token', token },
      config: { ...config, refresh: { keys: ['not-there'] } },
    },
    ...more.accepted,
    ...more.refused,
    ...[...more.accepted, ...more.refused]
      .map((boot) => ({ ...boot, endpoint: echo.endpoint }))
      .filter(({ auth }) => auth?.method !== 'none'),
    ...[echo, page, quiet].flatMap(({ endpoint }) => at(endpoint)),
    ...at('', { endpoint: [`http://127.0.0.1:${await fault.freePort()}`, echo.endpoint, page.endpoint] }),
    ...at(`http://127.0.0.1:${await fault.freePort()}`),
    { endpoint: server.endpoint, auth: { method: 'token', token }, config, request: through(tunnel.port) },
    ...[guarded, through(tunnel.port), through(closed.port), through(await fault.freePort())].map((request) => ({
      endpoint: echo.endpoint,
      auth: { method: 'token', token } as const,
      request,
    })),
    {
      endpoint: server.endpoint,
      auth: { method: 'token', token },
      request: { proxy: `http://user:${canary('proxy-password-with-path')}@127.0.0.1:1/path` },
    },
    {
      endpoint: server.endpoint,
      auth: { method: 'token', token },
      request: { headers: { 'x-vault-token': canary('header-token') } },
    },
    ...[quiet.endpoint, `http://127.0.0.1:${await fault.freePort()}`].flatMap((endpoint) =>
      logins.slice(0, 2).map((auth) => ({ endpoint, auth, config, boot: { timeoutMs: 100 } })),
    ),
    { endpoint: secure.endpoint, auth: { method: 'token', token } },
    { endpoint: secure.endpoint, auth: { method: 'token', token }, tls },
    { endpoint: server.endpoint, auth: { method: 'token', token }, config: { ...config, snapshot: snapshot('new') } },
    {
      endpoint: sealed.endpoint,
      auth: { method: 'token', token },
      config: { ...config, snapshot: kept },
      // Every call waits that long for a login.
      request: { timeoutMs: 200 },
    },
    {
      endpoint: sealed.endpoint,
      auth: { method: 'token', token },
      config: { ...config, snapshot: { ...kept, key: canary('wrong-passphrase') } },
    },
    { endpoint: sealed.endpoint, auth: { method: 'token', token } },
    {
      endpoint: sealed.endpoint,
      auth: { method: 'token', token: sealed.rootToken },
      unseal: { keys: keys.slice(0, 1) },
    },
    { endpoint: sealed.endpoint, auth: { method: 'token', token: sealed.rootToken }, unseal: { keys, reset: true } },
    {
      endpoint: server.endpoint,
      auth: { method: 'token', token: { secret: canary('token-in-the-wrong-place') } as never },
    },
    { endpoint: `https://user:${canary('password-in-address')}@vault:8200` },
  ];
  const away = {
    endpoint: `https://127.0.0.1:${await fault.freePort()}`,
    auth: { method: 'token', token },
    boot: { timeoutMs: 300 },
  } as const;
  proxied = {
    // It refuses every connection.
    proxy: `http://user:${canary('password-in-https-proxy')}@127.0.0.1:${closed.port}`,
    boots: [away, { ...away, request: { proxy: 'environment' } }],
  };
  boots = boots.map((options) => {
    const works = [server.endpoint, cloud.endpoint, secure.endpoint].includes(String(options.endpoint));
    // A boot waits for a server that is away.
    return works || options.unseal?.reset === true ? options : { boot: { timeoutMs: 1_500 }, ...options };
  });
}, 60_000);

afterAll(async () => {
  for (const close of closing.reverse()) await close();
  for (const each of [folder, snapshots, files]) await rm(each, { recursive: true, force: true });
});

/** A snapshot as a boot on that server would have left it. */
async function keepSnapshot(options: VaultSnapshotOptions, endpoint: string): Promise<void> {
  const kept = { data: secret, version: 1, createdTime: '2026-01-02T03:04:05Z', destroyed: false, customMetadata: {} };
  const plan = resolveConfig(config, {});
  const reads = new SecretReads(
    plan.layers.flatMap(({ sources }) =>
      sources.map((source) => [source, { secret: kept, readAt: new Date(), requestedAt: 0 }] as const),
    ),
  );
  const written = new ConfigSnapshot(resolveSnapshot(options) as ResolvedSnapshot, plan, { endpoint }, fail);
  await written.save(reads);
}

function fail(message: string): never {
  throw new Error(message);
}

/** A user whose logins need a TOTP passcode besides the password. */
async function enforceSecondFactor(name: string, password: string): Promise<void> {
  const ask = async (method: string, path: string, body?: object): Promise<Record<string, never>> =>
    ((await server.request(method, path, body)).body as { data: Record<string, never> } | undefined)?.data ?? {};
  await ask('POST', `auth/userpass/users/${name}`, { password });
  const { id } = await ask('POST', 'identity/entity', { name });
  const { accessor } = (await ask('GET', 'sys/auth'))['userpass/'] as unknown as { accessor: string };
  await ask('POST', 'identity/entity-alias', { name, canonical_id: id, mount_accessor: accessor });
  const { method_id: method } = await ask('POST', 'identity/mfa/method/totp', { method_name: 'phone', issuer: 'test' });
  await ask('POST', 'identity/mfa/method/totp/admin-generate', { method_id: method, entity_id: id });
  await ask('POST', 'identity/mfa/login-enforcement/staff', { mfa_method_ids: [method], identity_entity_ids: [id] });
}

/** Runs the program on these boots; resolves with all it printed. */
async function run(input: object): Promise<string> {
  const args = [
    '--import',
    url('test/support/typescript-loader.mjs'),
    '--input-type=module',
    '--eval',
    `await import(${JSON.stringify(url('test/support/canary-program.ts'))})`,
  ];
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    ...cloud.environment,
    REFERENCE: 'x-${vault:secret/canary/app#password?}',
    NO_REFERENCE: 'vault:secret/canary/app#nested.absent?default',
    DEBUG: '*',
    NODE_DEBUG: 'undici',
    DEBUG_DEPTH: '20',
  };
  const child = spawn(process.execPath, args, { cwd: folder, env });
  child.stdin.end(JSON.stringify(input));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return out + err;
}

describe('no marked secret', () => {
  it('appears in anything that is printed, thrown, inspected or left in the environment', async () => {
    const output = await run({
      boots,
      secret,
      proxied,
      unresolved: `vault:secret/x#y?${canary('default-of-a-reference')}`,
    });
    // It did what it was meant to do: logins and refusals, on every kind of server.
    expect(output.match(/^BOOTED$/gm)).toHaveLength(successes);
    // The configuration was changed and read again, and what is told of that was printed.
    expect(output).toContain('config-changed');
    expect(output.match(/^FAILED VAULT_\w+$/gm)).toHaveLength(boots.length - successes + 1 + proxied.boots.length);
    expect(output).toContain('HTTPS_PROXY');
    expect(output).toContain('ConfigService has an unresolved reference to Vault: "unresolved.0"');
    expect(output).toContain('again was frozen by the application');
    expect(output).toContain('names "absent", which is not a configuration key');
    expect(output).toContain('Not refreshed: ');
    expect(output).toContain('"config.refresh.keys" names "not-there"');
    expect(new Set(output.match(/^FAILED VAULT_\w+$/gm)).size).toBeGreaterThanOrEqual(8);
    expect(output).toContain('STARTED ON A SNAPSHOT');
    expect(output).toContain('The snapshot does not help either');
    expect(output).toContain('ENVIRONMENT UNCHANGED');
    expect(findLeaks(output)).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
    expect((await readdir(snapshots)).sort()).toEqual(['kept', 'new']);
    for (const file of await readdir(snapshots)) {
      expect(findLeaks((await readFile(join(snapshots, file))).toString('latin1'))).toEqual([]);
    }
  }, 300_000);

  it('would go unnoticed', async () => {
    expect(findLeaks(await run({ boots: [], secret, leak: secret.password })).map(({ name }) => name)).toEqual([
      'value-text',
    ]);
  });
});
