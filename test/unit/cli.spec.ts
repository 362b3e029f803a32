import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { VaultAuth } from '../../lib/auth/login-methods.js';
import { runCli } from '../../lib/cli/cli.js';
import { environmentOf, unusedOmissions, inheritedEnvironment } from '../../lib/cli/run/environment.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-spec-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => {
  jest.restoreAllMocks();
});

/** What one command line prints and returns. */
async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const printed = { out: '', err: '' };
  const into = (stream: 'out' | 'err') => (text: unknown) => ((printed[stream] += String(text)), true);
  jest.spyOn(process.stdout, 'write').mockImplementation(into('out'));
  jest.spyOn(process.stderr, 'write').mockImplementation(into('err'));
  jest.replaceProperty(process, 'env', { VAULT_ADDR: 'http://127.0.0.1:1', VAULT_TOKEN: 'x' });
  const code = await runCli(args);
  jest.restoreAllMocks();
  return { code, ...printed };
}

it('loadOptions redacts a credential that an options file quotes', async () => {
  const file = join(folder, 'throws.config.mjs');
  await writeFile(
    file,
    'process.env.APP_PASSWORD = "SECRET-VALUE"; throw new RangeError("SECRET-VALUE is out of bounds")',
  );
  const { code, err } = await cli('run', '--config', file, '--', 'true');
  expect(code).toBe(1);
  expect(err).toContain('RangeError: *** is out of bounds');
  expect(err).not.toContain('SECRET-VALUE');
});

describe('environmentOf and inheritedEnvironment', () => {
  it('skips a value that a schema has made undefined', () => {
    expect(environmentOf({ A: '1', B: undefined, c: { d: undefined } })).toEqual({ A: '1' });
    const part = { z: 1 };
    const made = { fn: () => 1, symbol: Symbol('s'), big: 10n, when: new Date(0), shared: { x: part, y: part } };
    expect(environmentOf(made)).toEqual({
      big: '10',
      when: '"1970-01-01T00:00:00.000Z"',
      SHARED_X_Z: '1',
      SHARED_Y_Z: '1',
    });
  });

  it('keeps flat keys, writes nested keys in upper case and other values as JSON', () => {
    const values = {
      SMTP_PASSWORD: 'p=w "\n$x',
      smtpPort: 25,
      ON: true,
      NOTHING: null,
      LIST: [1, { a: 'b' }],
      EMPTY: '',
      NONE: {},
      database: { password: 'x', maxPool: 5, 'read-only': false, tlsCA: { file: 'f' }, HTTPServer: 1 },
    };
    expect(environmentOf(values)).toEqual({
      SMTP_PASSWORD: 'p=w "\n$x',
      smtpPort: '25',
      ON: 'true',
      NOTHING: 'null',
      LIST: '[1,{"a":"b"}]',
      EMPTY: '',
      NONE: '{}',
      DATABASE_PASSWORD: 'x',
      DATABASE_MAX_POOL: '5',
      DATABASE_READ_ONLY: 'false',
      DATABASE_TLS_CA_FILE: 'f',
      DATABASE_HTTP_SERVER: '1',
    });
    expect(environmentOf({ A: '1', b: { c: '2' } }, { prefix: 'APP_' })).toEqual({ APP_A: '1', APP_B_C: '2' });
  });

  it.each([
    ...['my-key', '1ST', 'a.b', 'A B', '', 'ä', 'A=B', 'A\nB'].map((key): [Record<string, unknown>, string] => [
      { [key]: 'SECRET-VALUE' },
      'is not a name for a variable',
    ]),
    ...[
      'PATH',
      'NODE_OPTIONS',
      'node_options',
      'LD_PRELOAD',
      'DYLD_INSERT_LIBRARIES',
      'BASH_ENV',
      'npm_config_script_shell',
    ]
      .concat(['NODE_TLS_REJECT_UNAUTHORIZED', 'VAULT_TOKEN', 'BAO_ADDR', 'PYTHONSTARTUP', '_JAVA_OPTIONS'])
      .concat(['JAVA_TOOL_OPTIONS', 'GIT_ASKPASS', 'DOTNET_STARTUP_HOOKS', 'OPENSSL_CONF', 'TS_NODE_COMPILER', 'PAGER'])
      .map((key): [Record<string, unknown>, string] => [{ [key]: 'SECRET-VALUE' }, `--allow ${key}`]),
    [{ node: { options: 'SECRET-VALUE' } }, '--allow NODE_OPTIONS'],
    [{ DB_USER: 'SECRET-VALUE', db: { user: 'SECRET-VALUE-2' } }, '"DB_USER" and "db.user" would both be DB_USER'],
    [{ A: 'SECRET-VALUE\0' }, 'A holds a NUL'],
  ])('rejects %j', (values, message) => {
    expect(() => environmentOf(values)).toThrow(message);
    expect(() => environmentOf(values)).not.toThrow('SECRET-VALUE');
  });

  it('rejects circular values and values nested too deep for JSON', () => {
    const cycle: Record<string, unknown> = { secret: 'SECRET-VALUE' };
    cycle['self'] = { other: [cycle], again: cycle };
    const deep = JSON.parse(`${'['.repeat(50_000)}"SECRET-VALUE"${']'.repeat(50_000)}`) as unknown;
    const refused = () => environmentOf({ cycle, deep, OK: 1 });
    expect(refused).toThrow(
      /CYCLE_SELF_OTHER cannot be.*--omit CYCLE_SELF_OTHER\.[^]*CYCLE_SELF_AGAIN[^]*deep cannot be/,
    );
    expect(refused).not.toThrow('SECRET-VALUE');
    const omit = ['CYCLE_SELF_OTHER', 'CYCLE_SELF_AGAIN', 'deep'];
    expect(environmentOf({ cycle, deep, OK: 1 }, { omit })).toEqual({ CYCLE_SECRET: 'SECRET-VALUE', OK: '1' });
  });

  it('reports all problems at once, and passes allowed variables', () => {
    expect(() => environmentOf({ 'a-b': 1, PATH: 2, OK: 3 })).toThrow(/"a-b"[^]*PATH/);
    expect(environmentOf({ NODE_OPTIONS: 'x', NODE_ENV: 'test', GIT_TOKEN: 't' }, { allow: ['NODE_OPTIONS'] })).toEqual(
      {
        GIT_TOKEN: 't',
        NODE_OPTIONS: 'x',
        NODE_ENV: 'test',
      },
    );
    expect(environmentOf({ PATH: 1, 'a-b': 2, NUL: '\0', db: { user: 3, pw: 4 } }, { omit: ['PATH', 'a-b', 'NUL', 'DB_USER', 'GONE'] })).toEqual({ DB_PW: '4' }); // prettier-ignore
    expect(environmentOf({ PATH: 'x' }, { prefix: 'APP_' })).toEqual({ APP_PATH: 'x' });
  });

  it('finds names in omit that match no variable', () => {
    const values = { PLAIN: 'x', database: { password: 'x' }, 'no-name': 'x' };
    const omit = ['PLAIN', 'database.password', 'DATABASE_PASSWORD', 'no-name', 'DATABASE_PASSWROD'];
    expect(unusedOmissions(values, { omit })).toEqual(['database.password', 'DATABASE_PASSWROD']);
    expect(unusedOmissions(values, { omit: ['PLAIN', 'APP_PLAIN'], prefix: 'APP_' })).toEqual(['PLAIN']);
    expect(unusedOmissions(values, {})).toEqual([]);
  });

  it.each([
    ...['HTTPS_PROXY', 'http_proxy', 'NO_PROXY', 'GIT_SEQUENCE_EDITOR', 'GIT_SSL_CAINFO', 'GIT_DIR', 'SUDO_ASKPASS'],
    ...['LESSOPEN', 'KUBECONFIG', 'DOCKER_HOST', 'AWS_CONFIG_FILE', 'ESBUILD_BINARY_PATH', 'SSLKEYLOGFILE'],
    ...['REQUESTS_CA_BUNDLE', 'GOOGLE_APPLICATION_CREDENTIALS', 'XDG_CONFIG_HOME', 'PIP_INDEX_URL', 'RUSTC_WRAPPER'],
  ])('rejects %s, which changes how programs run, unless it is allowed', (name) => {
    expect(() => environmentOf({ [name]: 'x' })).toThrow(new RegExp(`${name}.*--allow ${name}`));
    expect(environmentOf({ [name]: 'x' }, { allow: [name] })).toEqual({ [name]: 'x' });
  });

  it.each([
    'APP_CONFIG',
    'DATABASE_URL',
    'PROXY_PASSWORD',
    'CONFIG',
    'GIT_TOKEN',
    'AWS_SECRET_ACCESS_KEY',
    'EDITOR_KEY',
  ])('passes %s', (name) => expect(environmentOf({ [name]: 'x' })).toEqual({ [name]: 'x' }));

  it('accepts 32 levels and 10,000 keys, and rejects more in bounded time', () => {
    const nested = (levels: number): unknown => {
      let value: unknown = 'SECRET-VALUE';
      for (let level = 1; level < levels; level++) value = { a: value };
      return value;
    };
    expect(Object.keys(environmentOf({ deep: nested(32) }))).toEqual([`DEEP${'_A'.repeat(31)}`]);
    for (const levels of [33, 100_000]) {
      expect(() => environmentOf({ deep: nested(levels) })).toThrow(/DEEP_A.* nested too deep/);
      expect(() => environmentOf({ deep: nested(levels) })).not.toThrow('SECRET-VALUE');
    }
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`KEY_${n}`, n]));
    expect(Object.keys(environmentOf(many(10_000)))).toHaveLength(10_000);
    for (const values of [many(10_001), { list: many(130_000) }])
      expect(() => environmentOf(values)).toThrow(/more than 10000 variables/);
  });

  it.each<[VaultAuth, readonly string[]]>([
    [{ method: 'approle', roleId: { env: 'A' }, secretId: { wrapped: { env: 'B' } } }, ['A', 'B']],
    [{ method: 'approle', secretId: { roleName: 'r', token: { env: 'A' } } }, ['A']],
    [{ method: 'aws', role: 'r' }, ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']],
    [{ method: 'aws', credentials: { accessKeyId: { env: 'A' }, secretAccessKey: { env: 'B' } } }, ['A', 'B']],
    [{ method: 'aws', type: 'ec2', nonce: { env: 'A' } }, ['A']],
    [{ method: 'azure', role: 'r' }, ['IDENTITY_HEADER']],
    [{ method: 'azure', role: 'r', jwt: { env: 'A' } }, ['A']],
    [{ method: 'cert' }, []],
    [{ method: 'custom', login: () => 'x', mfa: { totp: { env: 'A' } } }, ['A']],
    [{ method: 'gcp', type: 'iam', role: 'r', credentials: { env: 'A' }, accessToken: { env: 'B' } }, ['A', 'B']],
    [{ method: 'gcp', type: 'gce', role: 'r' }, []],
    [{ method: 'github' }, ['VAULT_AUTH_GITHUB_TOKEN']],
    [{ method: 'github', token: { env: 'A' } }, ['A']],
    [{ method: 'jwt', jwt: { env: 'A' } }, ['A']],
    [{ method: 'kubernetes', role: 'r', jwt: { env: 'A' } }, ['A']],
    [{ method: 'ldap' }, ['LDAP_USERNAME', 'LDAP_PASSWORD']],
    [{ method: 'ldap', password: { env: 'A' } }, ['LDAP_USERNAME', 'A']],
    [{ method: 'none' }, []],
    [{ method: 'oidc', role: 'r' }, []],
    [{ method: 'okta', username: { env: 'A' }, password: { env: 'B' }, totp: { env: 'C' } }, ['A', 'B', 'C']],
    [{ method: 'radius', username: { env: 'A' }, password: { env: 'B' } }, ['A', 'B']],
    [{ method: 'token', token: { env: 'A' } }, ['A']],
    [{ method: 'token' }, ['VAULT_TOKEN']],
    [{ method: 'token-file', file: 'f' }, []],
    [{ method: 'userpass', username: { env: 'A' }, password: { env: 'B' } }, ['A', 'B']],
  ])('withholds the variables that a login reads credentials from: %j', (auth, names) => {
    const all = [
      'A',
      'B',
      'C',
      'VAULT_TOKEN',
      'VAULT_AUTH_GITHUB_TOKEN',
      'LDAP_USERNAME',
      'LDAP_PASSWORD',
      'IDENTITY_HEADER',
    ];
    const aws = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
    const given = Object.fromEntries([...all, ...aws].map((name) => [name, 'x']));
    const passed = Object.keys(inheritedEnvironment({ auth }, false, given));
    const vault = ['VAULT_TOKEN', 'VAULT_AUTH_GITHUB_TOKEN'];
    expect(passed).toEqual([...all, ...aws].filter((name) => !names.includes(name) && !vault.includes(name)));
  });

  it('withholds VAULT_*, BAO_* and the variables that the options read credentials from', () => {
    const given = { VAULT_TOKEN: 't', BAO_ADDR: 'a', ROLE_SECRET: 's', SNAPSHOT_KEY: 'k', STAYS: 'x' };
    jest.replaceProperty(process, 'env', given);
    const options = {
      auth: { method: 'approle', secretId: { env: 'ROLE_SECRET' } },
      config: { snapshot: { file: 'x', key: { env: 'SNAPSHOT_KEY' } } },
    } as const;
    expect(inheritedEnvironment(options, false)).toEqual({ STAYS: 'x' });
    expect(inheritedEnvironment(options, true)).toEqual(given);
  });
});

describe('command line', () => {
  it('prints help', async () => {
    const help = await cli('--help');
    expect(help).toEqual({ code: 0, out: expect.stringContaining('run ') as unknown, err: '' });
    expect(await cli('-h')).toEqual(help);
    expect(await cli('run', '--help')).toEqual({
      code: 0,
      out: expect.stringContaining('--watch') as unknown,
      err: '',
    });
  });

  it.each<[string[], string]>([
    [[], 'No command given'],
    [['fly'], 'There is no command "fly"'],
    [['run'], 'Which command?'],
    [['run', 'node', 'app.js'], 'Which command?'],
    [['run', '--sources', 'a', '--'], 'Which command?'],
    [['run', '--'], 'Which command?'],
    [['run', '--sources', 'a', '--', ''], 'Which command?'],
    [['run', '--wtach', '--', 'true'], "Unknown option '--wtach'. See: nestjs-vault run --help"],
    [['run', 'stray', '--', 'true'], 'Unexpected argument'],
    [['run', '--sources', '--', 'true'], '--sources'],
    ...['0', '49', '-1', '1.5', 'soon', '2147483648', ''].map((value): [string[], string] => [
      ['run', '--sources', 'a', `--interval-ms=${value}`, '--', 'true'],
      '--interval-ms takes',
    ]),
    [['run', '--sources', 'a', '--grace-ms=x', '--', 'true'], '--grace-ms takes'],
    ...['1_', 'APP-', 'É'].map((prefix): [string[], string] => [
      ['run', '--sources', 'a', '--prefix', prefix, '--', 'true'],
      '--prefix takes',
    ]),
    [['run', '--sources', 'a,,b', '--', 'true'], '"config.sources[1]" is empty'],
    [['run', '--config', 'no-such-file.json', '--', 'true'], 'no-such-file.json (ENOENT)'],
    [['run', '--config', '.', '--', 'true'], 'Cannot load .'],
    [['run', '--config', 'no-such-file.mjs', '--', 'true'], 'Cannot read no-such-file.mjs (ENOENT)'],
  ])('rejects %j', async (args, message) => {
    const { code, out, err } = await cli(...args);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(message);
  });

  it.each<[string, string, string | RegExp]>([
    ['not-json.json', '{ "auth": SECRET-VALUE', 'is not valid JSON'],
    ['comma.json', '{\n  "auth": { "method": "token" },\n}', 'comma.json is not valid JSON: look at line 3.'],
    ['byte-order-mark.json', '\uFEFF{ "endpont": "SECRET-VALUE" }', 'Did you mean "endpoint"'],
    ['list.json', '["SECRET-VALUE"]', 'does not give options'],
    ['nothing.mjs', 'export const options = {};', 'does not give options'],
    ['null.cjs', 'module.exports = null;', 'does not give options'],
    ['function.cjs', 'module.exports = () => undefined;', 'does not give options'],
    ['promise.mjs', 'export default Promise.resolve({ endpont: "SECRET-VALUE" });', 'Did you mean "endpoint"'],
    [
      'rejected.mjs',
      'export default Promise.reject(new RangeError("not today"));',
      'rejected.mjs: RangeError: not today',
    ],
    ['thrown.mjs', 'throw null;', 'something was thrown'],
    ['syntax.mjs', 'export default {', /syntax\.mjs: SyntaxError: .*For the place: node --check \S+syntax\.mjs$/m],
    ['link.mjs', 'import { nothing } from "node:fs";', /named 'nothing'$/m],
    ['broken.mjs', 'throw new RangeError("not today");', 'RangeError: not today'],
    ['token.mjs', 'throw new Error("hvs.CAESIJ1234567890abcdefgh");', '***'],
    ['unknown.json', '{ "endpont": "SECRET-VALUE" }', 'Did you mean "endpoint"'],
    [
      'quoting.mjs',
      'process.env.APP_PASSWORD = "SECRET-VALUE"; export default Promise.reject(new RangeError("SECRET-VALUE is out of bounds"))',
      'RangeError: *** is out of bounds',
    ],
  ])('reports a problem with %s', async (name, content, message) => {
    const file = join(folder, name);
    await writeFile(file, content);
    const { code, err } = await cli('run', '--config', file, '--', 'true');
    expect(code).toBe(1);
    expect(err.trim()).toMatch(message);
    expect(err).not.toMatch(/SECRET-VALUE|hvs\./);
  });

  it('reports errors as JSON with --json', async () => {
    const { err } = await cli('run', '--json', '--config', join(folder, 'unknown.json'), '--', 'true', '--json');
    expect(JSON.parse(err)).toEqual({
      level: 'error',
      code: 'VAULT_INVALID_OPTION',
      message: expect.stringContaining('endpont') as unknown,
    });
    expect((await cli('run', '--sources', 'a', '--grace-ms=x', '--', 'true', '--json')).err).toMatch(/^nestjs-vault: /);
  });
});
