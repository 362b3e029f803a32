import { createLoginMethod } from '../../lib/auth/login-methods.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { VaultConfigurationError } from '../../lib/index.js';
import { resolveOptions } from '../../lib/boot/resolve-options.js';
import { renderError } from '../support/canary.js';

const environment = { ...process.env };
// A way to log in, so that only the option under test is wrong.
beforeEach(() => {
  process.env['VAULT_TOKEN'] = 'a-token';
});
afterEach(() => {
  process.env = { ...environment };
});

const BASE = { endpoint: 'https://vault.example.com:8200' };
const throwing = (name: string): object =>
  Object.defineProperty({}, name, {
    enumerable: true,
    get: () => {
      throw new TypeError('raw');
    },
  });
/** Options with a getter that throws, and the option it stands for. */
const GETTERS: readonly (readonly [unknown, string])[] = [
  ...['endpoint', 'enabled', 'auth', 'config', 'unseal', 'other'].map((name) => [throwing(name), name] as const),
  [{ ...BASE, auth: throwing('method') }, 'auth.method'],
  [{ ...BASE, auth: { method: 'token', token: throwing('env') } }, 'auth.token.env'],
  [{ ...BASE, tls: { ca: throwing('file') } }, 'tls.ca.file'],
  [{ ...BASE, request: { headers: throwing('x-a') } }, 'request.headers.x-a'],
  [{ ...BASE, config: throwing('sources') }, 'config.sources'],
  [{ ...BASE, config: { sources: ['a', throwing('secretPath')] } }, 'config.sources[1].secretPath'],
  [{ ...BASE, config: { sources: [{ secretPath: 'a', map: throwing('A') }] } }, 'config.sources[0].map.A'],
];
const failure = async (options: unknown): Promise<Error> => {
  const error: unknown = await resolveOptions(options as never).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return error as Error;
};

describe('invalid option', () => {
  it.each<[unknown, string | RegExp]>([
    [null, 'must be an object'],
    [[], 'must be an object'],
    [{ endpont: 'x' }, /"endpont" is not an option\. Did you mean "endpoint"\?/],
    [{ address: 'x' }, /Did you mean "endpoint"\?/],
    [{ url: 'x' }, /Did you mean "endpoint"\?/],
    [{ token: 'x' }, /Did you mean "auth"\?/],
    [{ sources: [] }, /Did you mean "config\.sources"\?/],
    [{ secrets: [] }, /Did you mean "config\.sources"\?/],
    [{ timeoutMs: 1 }, /Did you mean "request\.timeoutMs"\?/],
    [{ whatever: 1 }, /"whatever" is not an option\. Known: endpoint/],
    [{ endpoint: 7 }, '"endpoint" must be a string'],
    [{ ...BASE, config: { sources: [() => ({})] } }, /"config\.sources\[0\]" is a function.*"config\.load"/],
    [{ endpoint: 'vault:8200' }, '"endpoint"'],
    [{ endpoint: 'vault.example.com' }, '"endpoint"'],
    [{ endpoint: 'ftp://vault' }, '"endpoint"'],
    [{ endpoint: 'https://vault:8200/v1' }, /Remove "\/v1"/],
    [{ endpoint: 'https://vault:8200?x=1' }, '"endpoint"'],
    [{ endpoint: '' }, '"endpoint"'],
    [{ ...BASE, namespace: 1 }, '"namespace"'],
    ...[' ', '   ', ' team', 'team ', '\t'].flatMap((namespace): [unknown, string][] => [
      [{ ...BASE, namespace }, '"namespace" must be'],
      [{ ...BASE, auth: { method: 'token', token: 't', namespace } }, '"auth.namespace" must be'],
      [{ ...BASE, config: { sources: [{ secretPath: 'a', namespace }] } }, 'namespace" must be'],
    ]),
    ...['/', '//'].map((secretPath): [unknown, RegExp] => [
      { ...BASE, config: { sources: [{ secretPath }] } },
      /has no name in it\. Give a path such as "my-app"/,
    ]),
    [{ ...BASE, auth: 'token' }, '"auth"'],
    [
      { ...BASE, auth: { method: 'telepathy' } },
      /"auth\.method" is not the name of a login method\. Known methods: .*approle/,
    ],
    [{ ...BASE, auth: { method: 'AppRole' } }, 'Did you mean "approle"?'],
    [{ ...BASE, auth: { method: 'tokenFile' } }, 'Did you mean "token-file"?'],
    [{ ...BASE, auth: { method: 'kerberos' } }, /"auth\.method" is not the name of a login method\. Use "custom"/],
    [{ ...BASE, auth: {} }, '"auth.method"'],
    [{ ...BASE, auth: { method: 'toString' } }, '"auth.method"'],
    [{ ...BASE, auth: { method: 'approle', roleID: 'x' } }, 'Did you mean "roleId"'],
    [{ ...BASE, auth: { method: 'approle', roleId: 7 } }, '"auth.roleId"'],
    [{ ...BASE, auth: { method: 'approle', secretId: {} } }, '"auth.secretId"'],
    [{ ...BASE, auth: { method: 'approle', secretId: { wrapped: 7 } } }, '"auth.secretId"'],
    [{ ...BASE, auth: { method: 'approle', secretId: { roleName: 'a' } } }, '"auth.secretId"'],
    [{ ...BASE, auth: { method: 'approle', mountPath: '../x' } }, 'auth.mountPath'],
    [{ ...BASE, auth: { method: 'userpass', username: { env: 'A', file: 'b' } } }, '"auth.username"'],
    [{ ...BASE, auth: { method: 'ldap', password: { env: 7 } } }, '"auth.password"'],
    [{ ...BASE, auth: { method: 'token', token: null } }, '"auth.token"'],
    ...(
      [
        [{ type: 'iamm' }, '"auth.type" must be one of "iam", "ec2"'],
        [{ role: '' }, '"auth.role"'],
        [{ role: 7 }, '"auth.role"'],
        [{ serverId: 'a\nb' }, '"auth.serverId"'],
        [{ region: 'https://sts.amazonaws.com' }, '"auth.region"'],
        [{ region: 'eu-central-1.evil.example' }, '"auth.region"'],
        [{ stsEndpoint: 'sts.amazonaws.com' }, '"auth.stsEndpoint"'],
        [{ stsEndpoint: 'https://sts.amazonaws.com/?Action=x' }, '"auth.stsEndpoint"'],
        [{ credentials: 'AKIA' }, '"auth.credentials"'],
        [{ credentials: { accessKeyId: 'AKIA' } }, '"auth.credentials"'],
        [{ credentials: { accessKeyId: 'a', secretAccessKey: 'b', expiration: 1 } }, '"auth.credentials"'],
        [{ nonce: 'x' }, /"auth\.nonce" is for type "ec2".*the type here is "iam"/],
        [{ type: 'ec2', serverId: 'x' }, /"auth\.serverId" is for type "iam"/],
        [{ type: 'ec2', signature: 'rsa' }, '"auth.signature"'],
        [{ type: 'ec2', nonce: {} }, '"auth.nonce"'],
        [{ type: 'ec2', metadataEndpoint: '169.254.169.254' }, '"auth.metadataEndpoint"'],
        [{ serverID: 'x' }, 'Did you mean "serverId"'],
      ] as const
    ).map(([auth, message]): [unknown, string | RegExp] => [{ ...BASE, auth: { method: 'aws', ...auth } }, message]),
    ...(
      [
        [{}, '"auth.role" is missing'],
        [{ role: 'r', type: 'gke' }, '"auth.type"'],
        [{ role: 'r', serviceAccount: '' }, '"auth.serviceAccount"'],
        [{ role: 'r', credentials: 'x' }, /"auth\.credentials" is for type "iam"/],
        [{ role: 'r', type: 'iam', credentials: 7 }, '"auth.credentials"'],
        [{ role: 'r', type: 'iam', accessToken: {} }, '"auth.accessToken"'],
        [{ role: 'r', type: 'iam', credentials: 'x', accessToken: 'y' }, /"auth\.credentials" and "auth\.accessToken"/],
        [{ role: 'r', type: 'iam', iamEndpoint: 'x' }, '"auth.iamEndpoint"'],
        [{ role: 'r', metadataEndpoint: 'metadata' }, '"auth.metadataEndpoint"'],
      ] as const
    ).map(([auth, message]): [unknown, string | RegExp] => [{ ...BASE, auth: { method: 'gcp', ...auth } }, message]),
    ...(
      [
        [{}, '"auth.role" is missing'],
        [{ role: 'r', source: 'vm' }, '"auth.source"'],
        [{ role: 'r', resource: '' }, '"auth.resource"'],
        [{ role: 'r', clientId: 'a', objectId: 'b' }, /"auth\.clientId" and "auth\.objectId"/],
        [{ role: 'r', source: 'workload-identity', objectId: 'b' }, '"auth.objectId"'],
        [{ role: 'r', jwt: 'a', source: 'app-service' }, '"auth.jwt"'],
        [{ role: 'r', jwt: 7 }, '"auth.jwt"'],
        [{ role: 'r', vmName: 7 }, '"auth.vmName"'],
        [{ role: 'r', metadataEndpoint: 'x' }, '"auth.metadataEndpoint"'],
      ] as const
    ).map(([auth, message]): [unknown, string | RegExp] => [{ ...BASE, auth: { method: 'azure', ...auth } }, message]),
    ...Object.entries({
      radius: { username: 'u' },
      okta: { username: 'u' },
      jwt: {},
      kubernetes: {},
      custom: {},
      'token-file': {},
      userpass: { username: 'u' },
    }).map(([method, auth]): [unknown, RegExp] => [
      { ...BASE, auth: { method, ...auth } },
      new RegExp(`"auth\\.\\w+" is missing; the method "${method}" needs it`),
    ]),
    [{ ...BASE, auth: { method: 'none', namespace: 'team' } }, '"auth.namespace" is not an option'],
    [{ ...BASE, auth: { method: 'none', mountPath: 'x' } }, '"auth.mountPath" is not an option'],
    [{ ...BASE, auth: { method: 'jwt', jwt: 7 } }, '"auth.jwt" must be a string, { env }'],
    [{ ...BASE, auth: { method: 'jwt', jwt: 'j', role: 7 } }, '"auth.role" must be a string'],
    [{ ...BASE, auth: { method: 'jwt', jwt: 'j', rol: 'x' } }, 'Did you mean "role"'],
    [{ ...BASE, auth: { method: 'jwt', jwt: 'j', mountPath: '/x' } }, 'auth.mountPath'],
    [{ ...BASE, auth: { method: 'kubernetes', role: 7 } }, '"auth.role" must be a string'],
    [{ ...BASE, auth: { method: 'kubernetes', role: 'r', jwt: { path: 'x' } } }, '"auth.jwt" must be'],
    [{ ...BASE, auth: { method: 'cert' } }, /"tls\.cert" and "tls\.key"/],
    [{ ...BASE, auth: { method: 'cert', name: 7 } }, '"auth.name" must be a string'],
    [{ ...BASE, auth: { method: 'github', token: 7 } }, '"auth.token" must be'],
    [{ ...BASE, auth: { method: 'okta', username: 'u', password: 'p', totp: 7 } }, '"auth.totp" must be'],
    [{ ...BASE, auth: { method: 'okta', username: 'u', password: 'p', provider: 'DUO' } }, '"auth.provider" must be "GOOGLE" or "OKTA"'], // prettier-ignore
    [{ ...BASE, auth: { method: 'token-file', file: { file: 'x' } } }, '"auth.file" must be a string'],
    [{ ...BASE, auth: { method: 'custom', login: 'x' } }, '"auth.login" must be a function'],
    [{ ...BASE, auth: { method: 'oidc', openUrl: 'x' } }, '"auth.openUrl" must be a function'],
    [{ ...BASE, auth: { method: 'oidc', role: 7 } }, '"auth.role" must be a string'],
    ...[-1, 1.5, 65_536, '8250', NaN].map((port): [unknown, string] => [
      { ...BASE, auth: { method: 'oidc', port } },
      '"auth.port" must be a port',
    ]),
    ...[0, -1, Infinity, '5'].map((timeoutMs): [unknown, string] => [
      { ...BASE, auth: { method: 'oidc', timeoutMs } },
      '"auth.timeoutMs" must be a number above 0',
    ]),
    ...['123456', null, ['123456'], { totp: 123_456 }, { totp: {} }].map((mfa): [unknown, string] => [
      { ...BASE, auth: { method: 'ldap', mfa } },
      '"auth.mfa" must be an object with a credential for each MFA method',
    ]),
    [{ ...BASE, tls: { ca: 7 } }, '"tls.ca"'],
    [{ ...BASE, tls: { ca: [7] } }, '"tls.ca"'],
    [{ ...BASE, tls: { cert: 'x' } }, '"tls.key"'],
    [{ ...BASE, tls: { rejectUnauthorised: false } }, 'Did you mean "rejectUnauthorized"'],
    [{ ...BASE, tls: { rejectUnauthorized: 'no' } }, '"tls.rejectUnauthorized"'],
    [{ ...BASE, tls: { passphrase: 7 } }, '"tls.passphrase"'],
    [{ ...BASE, tls: { serverName: 7 } }, '"tls.serverName"'],
    ...[0, -1, NaN, Infinity, 2 ** 31, '5'].map((value): [unknown, string] => [
      { ...BASE, request: { timeoutMs: value } },
      '"request.timeoutMs"',
    ]),
    [{ ...BASE, request: { connectTimeoutMs: 0 } }, '"request.connectTimeoutMs"'],
    [{ ...BASE, request: { maxConnections: 0 } }, '"request.maxConnections"'],
    ...['on', true, null, 'OFF'].map((value): [unknown, string] => [
      { ...BASE, request: { consistency: value } },
      '"request.consistency" must be one of',
    ]),
    ...[-1, 1.5, NaN, Infinity, 2 ** 32, '2', null].map((value): [unknown, string] => [
      { ...BASE, request: { retries: value } },
      '"request.retries" must be a whole number',
    ]),
    ...[
      ...[5, null, '', 'fast', '-1', '5:', '5:0', '0', '1:1:1', '1e9', '5:1.5', '\u0665'],
      ...[{}, { perSecond: 0 }, { perSecond: '5' }, { perSecond: Infinity }, { perSecond: 5, burst: 0 }],
      ...[
        { perSecond: 5, burst: 1.5 },
        { perSecond: 5, brust: 5 },
      ],
    ].map((value): [unknown, string] => [{ ...BASE, request: { rateLimit: value } }, '"request.rateLimit" must be {']),
    [{ ...BASE, request: { http2: 'yes' } }, '"request.http2"'],
    [{ ...BASE, request: { redirects: 1 } }, '"request.redirects"'],
    ...[7, '', 'proxy:3128', 'ftp://proxy', 'http://proxy/path'].map((value): [unknown, string] => [
      { ...BASE, request: { proxy: value } },
      '"request.proxy"',
    ]),
    ...[[], 'a', { a: 7 }, { 'x-vault-token': 'a' }, { 'a b': 'c' }, { a: 'b\r\nc' }, { Connection: 'close' }].map(
      (value): [unknown, string] => [{ ...BASE, request: { headers: value } }, '"request.headers"'],
    ),
    ...[
      '',
      [],
      {},
      { file: '' },
      { file: 7 },
      { directory: '' },
      [{ directory: '/etc' }],
      { file: 'a', directory: 'b' },
    ].map((value): [unknown, string] => [{ ...BASE, tls: { ca: value } }, '"tls.ca"']),
    [{ ...BASE, tls: { cert: { directory: '/etc' }, key: 'x' } }, '"tls.cert"'],
    [{ ...BASE, endpoint: 'unix://relative.sock' }, '"endpoint" is not a Unix socket'],
    [{ ...BASE, endpoint: `unix:///${'x'.repeat(120)}` }, '"endpoint" is not a Unix socket'],
    [{ ...BASE, boot: { timeoutMs: 0 } }, '"boot.timeoutMs"'],
    [{ ...BASE, shutdown: { revoke: 1 } }, '"shutdown.revoke"'],
    [{ ...BASE, shutdown: { timeoutMs: -5 } }, '"shutdown.timeoutMs"'],
    [{ ...BASE, unseal: { keys: [] } }, '"unseal.keys"'],
    [{ ...BASE, unseal: { keys: [7] } }, '"unseal.keys"'],
    [{ ...BASE, unseal: { keys: ['k'], endpoints: ['nope'] } }, '"unseal.endpoints"'],
    [{ ...BASE, unseal: { keys: ['k'], reset: 'yes' } }, '"unseal.reset"'],
    [{ ...BASE, config: { sources: 'my-app' } }, '"config.sources" must be a list'],
    ...['', null, 7, undefined].map((value): [unknown, string] => [
      { ...BASE, config: { sources: ['ok', value] } },
      'config.sources[1]',
    ]),
    ...['/a', 'a//b', 'a/../b', 'a/', '.'].map((value): [unknown, string] => [
      { ...BASE, config: { sources: [value] } },
      'config.sources[0].secretPath',
    ]),
    [{ ...BASE, config: { sources: [{}] } }, 'config.sources[0].secretPath'],
    [{ ...BASE, config: { sources: [{ secretPath: 'a', mount: 'b' }] } }, 'config.sources[0].mount'],
    [{ ...BASE, config: { sources: [{ secretPath: 'a', mountPath: '/b' }] } }, 'config.sources[0].mountPath'],
    ...[0, 1.5, -1, '1'].map((value): [unknown, string] => [
      { ...BASE, config: { sources: [{ secretPath: 'a', version: value }] } },
      'config.sources[0].version',
    ]),
    ...[[], [''], [7], 'A'].map((value): [unknown, string] => [
      { ...BASE, config: { sources: [{ secretPath: 'a', keys: value }] } },
      'config.sources[0].keys',
    ]),
    ...['', '__proto__', 'a..b', 'a.constructor', 7].map((value): [unknown, string] => [
      { ...BASE, config: { sources: [{ secretPath: 'a', as: value }] } },
      'config.sources[0].as',
    ]),
    ...[7, ['A'], { a: 7 }, { a: '' }, { a: 'b..c' }, { a: '__proto__' }, { a: 'b.constructor' }].map(
      (value): [unknown, string] => [
        { ...BASE, config: { sources: [{ secretPath: 'a', map: value }] } },
        'config.sources[0].map',
      ],
    ),
    ...[7, '', 'db.'].map((value): [unknown, string] => [
      { ...BASE, config: { sources: [{ secretPath: 'a', prefix: value }] } },
      'config.sources[0].prefix',
    ]),
    [{ ...BASE, config: { sources: [{ secretPath: 'a', prefix: 'P_', map: () => 'x' }] } }, 'a "prefix" beside'],
    ...[7, ''].map((value): [unknown, string] => [
      { ...BASE, config: { sources: [{ secretPath: 'a', nest: value }] } },
      'config.sources[0].nest',
    ]),
    ...['${UNSET_FOR_THIS_TEST}', 'a/${', '${a-b}', '${UNSET_FOR_THIS_TEST:-..}'].map((value): [unknown, string] => [
      { ...BASE, config: { sources: [value] } },
      'config.sources[0].secretPath',
    ]),
    ...[
      ['', 'must be a list'],
      [[7], 'files[0]'],
      [[''], 'files[0].key'],
      [[{}], 'files[0].key'],
      [[{ key: 7 }], 'files[0].key'],
      [[{ key: 'a', path: '' }], 'files[0].path'],
      [[{ key: 'a', path: 'a\0b' }], 'files[0].path'],
      [[{ key: 'a', name: '' }], 'files[0].name'],
      [[{ key: 'a', name: 'b.__proto__' }], 'files[0].name'],
      [[{ key: 'a', encoding: 'hex' }], 'files[0].encoding'],
      [[{ key: 'a', mode: 0o644 }], 'files[0].mode'],
    ].map(([value, message]): [unknown, string] => [
      { ...BASE, config: { sources: [{ secretPath: 'a', files: value }] } },
      message as string,
    ]),
    [{ ...BASE, config: { sources: [{ secretPath: 'a', aliases: true }] } }, 'config.sources[0].aliases'],
    [
      { ...BASE, config: { exportToProcessEnv: 'DB_URL' } },
      '"config.exportToProcessEnv" must be true, false, "references" or a list of keys',
    ],
    [{ ...BASE, config: { exportToProcessEnv: [] } }, 'config.exportToProcessEnv'],
    [{ ...BASE, config: { exportToProcessEnv: ['A', 1] } }, 'config.exportToProcessEnv'],
    [{ ...BASE, config: { aliases: 'camelCase' } }, '"config.aliases" must be "SCREAMING_CASE"'],
    ...['VAULT', true, 7].map((value): [unknown, string] => [
      { ...BASE, config: { precedence: value } },
      '"config.precedence" must be "vault" or "env"',
    ]),
    ...[{}, [7], ['a'], [null]].map((value): [unknown, string] => [
      { ...BASE, config: { load: value } },
      '"config.load" must be a list of functions',
    ]),
    ...['yes', 7, null].map((value): [unknown, string] => [
      { ...BASE, config: { references: value } },
      '"config.references" must be true, false or an object',
    ]),
    [{ ...BASE, config: { references: [] } }, '"config.references" must be an object'],
    [{ ...BASE, config: { references: { mount: 'x' } } }, 'config.references.mount'],
    [{ ...BASE, config: { references: { inSecrets: 1 } } }, 'config.references.inSecrets'],
    ...[7, 'worker.env', [7], [''], {}].map((value): [unknown, string] => [
      { ...BASE, config: { references: { literal: value } } },
      '"config.references.literal" must be a list of keys',
    ]),
    ...[7, [7], '/x', ['a', '../b'], ''].map((value): [unknown, string] => [
      { ...BASE, config: { references: { mountPath: value } } },
      'config.references.mountPath',
    ]),
    [{ ...BASE, config: { sources: [{ path: 'my-app' }] } }, 'Did you mean "secretPath"?'],
    [{ ...BASE, config: { sources: [{ secretPath: 'my-app', mount: 'kv' }] } }, 'Did you mean "mountPath"?'],
    [{ ...BASE, config: { layout: 'my-app' } }, '"config.layout" must be an object'],
    [
      { ...BASE, config: { refresh: true } },
      '"config.refresh" must be an object. For the defaults, write {}. Known: intervalMs, sighup, keys.',
    ],
    [{ ...BASE, config: { layout: {} } }, '"config.layout.application" is missing'],
    ...Object.entries({
      application: ['', '/a', 'a/../b', 7, '${UNSET_FOR_THIS_TEST}'],
      profiles: [7, [7], ['a/b'], '..', '${UNSET_FOR_THIS_TEST}'],
      shared: [true, 7, '', '..'],
      mountPath: [7, '', '/x', '..'],
      separator: ['', ' ', 7, '\n'],
      namespace: [7],
      optional: ['yes'],
      profile: ['prod'],
    }).flatMap(([name, wrong]) =>
      wrong.map((value): [unknown, string] => [
        { ...BASE, config: { layout: { application: 'a', [name]: value } } },
        `config.layout.${name}`,
      ]),
    ),
    [{ ...BASE, config: { sources: [{ secretPath: 'a', optional: 'yes' }] } }, 'config.sources[0].optional'],
    [{ ...BASE, config: { sources: [{ secretPath: 'a', namespace: 7 }] } }, 'config.sources[0].namespace'],
  ])('%j', async (options, message) => {
    const error = await failure(options);
    expect(error).toMatchObject({ code: expect.stringMatching(/^VAULT_INVALID_(OPTION|PATH)$/) as unknown });
    expect(error.message).toMatch(
      typeof message === 'string' ? new RegExp(message.replace(/[.[\]"]/g, '\\$&')) : message,
    );
  });

  it.each(GETTERS.map(([, option], index) => [option, index] as const))(
    '%s, by a getter that throws',
    async (option, at) => {
      expect((await failure(GETTERS[at]?.[0])).message).toBe(`"${option}" cannot be read: its getter throws.`);
    },
  );

  it('error about an invalid option quotes no secret', async () => {
    for (const options of [
      { endpoint: 'https://user:SECRET-VALUE@vault:8200' },
      { endpoint: 'https://vault/user:SECRET-VALUE@vault' },
      { endpoint: 'https://vault/a?token=SECRET-VALUE' },
      { ...BASE, auth: { method: 'token', token: { value: 'SECRET-VALUE' } } },
      { ...BASE, auth: { method: 'approle', secretId: ['SECRET-VALUE'] } },
      { ...BASE, auth: { method: 'SECRET-VALUE' } },
      { ...BASE, auth: { method: 'jwt', jwt: { token: 'SECRET-VALUE' } } },
      { ...BASE, auth: { method: 'ldap', mfa: { totp: ['SECRET-VALUE'] } } },
      { ...BASE, auth: { method: 'custom', login: 'SECRET-VALUE' } },
      { ...BASE, auth: { method: 'oidc', port: 'SECRET-VALUE' } },
      { ...BASE, tls: { cert: { pem: 'SECRET-VALUE' } } },
      { ...BASE, tls: { key: { file: '-----BEGIN PRIVATE KEY-----SECRET-VALUE' }, cert: 'x' } },
      { ...BASE, request: { proxy: 'proxy://user:SECRET-VALUE@proxy' } },
      { ...BASE, request: { headers: { 'x-vault-token': 'SECRET-VALUE' } } },
      { ...BASE, unseal: { keys: 'SECRET-VALUE' } },
    ]) {
      expect(renderError(await failure(options))).not.toContain('SECRET-VALUE');
    }
  });
});

describe('environment variables', () => {
  it('option takes precedence over BAO_, which takes precedence over VAULT_', async () => {
    const endpoint = async (options = {}) => (await resolveOptions(options)).transport.endpoint;
    delete process.env['BAO_ADDR'];
    delete process.env['VAULT_ADDR'];
    expect((await failure({})).message).toContain('VAULT_ADDR');
    process.env['VAULT_ADDR'] = 'https://vault:8200/';
    expect(await endpoint()).toBe('https://vault:8200');
    process.env['BAO_ADDR'] = 'https://bao:8200';
    expect(await endpoint()).toBe('https://bao:8200');
    expect(await endpoint({ endpoint: 'http://127.0.0.1:1' })).toBe('http://127.0.0.1:1');
  });

  it('an empty BAO_NAMESPACE clears VAULT_NAMESPACE', async () => {
    process.env['VAULT_NAMESPACE'] = 'team';
    expect((await resolveOptions(BASE)).transport.namespace).toBe('team');
    process.env['BAO_NAMESPACE'] = '';
    expect((await resolveOptions(BASE)).transport.namespace).toBeUndefined();
  });

  it('error names a file that cannot be read', async () => {
    process.env['VAULT_CACERT'] = '/no/such/ca.pem';
    expect((await failure(BASE)).message).toMatch(/VAULT_CACERT.*\/no\/such\/ca\.pem.*ENOENT/);
  });
});

describe('several invalid settings', () => {
  const errorsOf = async (options: unknown) => (await failure(options)) as VaultConfigurationError;

  it('one error reports invalid address, credentials, namespace and certificate', async () => {
    for (const name of ['VAULT_ADDR', 'BAO_ADDR', 'ROLE_ID', 'SECRET_ID']) delete process.env[name];
    process.env['VAULT_NAMESPACE'] = 'a\nb';
    const error = await errorsOf({
      auth: { method: 'approle', roleId: { env: 'ROLE_ID' }, secretId: { wrapped: { env: 'SECRET_ID' } } },
      tls: { ca: { file: '/absent/ca.pem' } },
    });
    expect(error.code).toBe('VAULT_CONFIGURATION');
    expect(error.errors.map(({ code }) => code)).toEqual([
      'VAULT_INVALID_OPTION',
      'VAULT_INVALID_OPTION',
      'VAULT_INVALID_OPTION',
      'VAULT_AUTHENTICATION',
      'VAULT_AUTHENTICATION',
    ]);
    for (const name of ['VAULT_ADDR', 'tls.ca', 'VAULT_NAMESPACE', 'ROLE_ID', 'SECRET_ID'])
      expect(error.message).toContain(name);
  });

  it('one error includes a missing login method', async () => {
    for (const name of ['VAULT_ADDR', 'BAO_ADDR', 'VAULT_TOKEN', 'BAO_TOKEN']) delete process.env[name];
    const { errors } = await errorsOf({});
    expect(errors.map(({ code }) => code)).toEqual(['VAULT_INVALID_OPTION', 'VAULT_AUTHENTICATION']);
  });

  it('a single problem keeps its own error class', async () => {
    delete process.env['VAULT_ADDR'];
    delete process.env['BAO_ADDR'];
    expect(await failure({})).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
  });
});

describe('login timeout', () => {
  it.each([
    { method: 'okta', username: 'u', password: 'p' },
    { method: 'userpass', username: 'u', password: 'p', mfa: { totp: () => '123456' } },
  ] as const)('createLoginMethod gives $method five minutes when a person may have to confirm the login', (auth) => {
    expect(createLoginMethod(auth).loginTimeoutMs).toBe(300_000);
  });
});
