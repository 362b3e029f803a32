import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conflictingVariables, VARIABLES } from '../../lib/options/environment.js';
import { resolveOptions } from '../../lib/boot/resolve-options.js';
import { tokenHelper } from '../../lib/index.js';
import { createCertificates } from '../../lib/testing/index.js';
import type { VaultModuleOptions } from '../../lib/index.js';
import { renderError } from '../support/canary.js';

const environment = { ...process.env };
const BASE = { endpoint: 'https://vault.example.com:8200' };
let directory: string;
let ca: string;
let cert: string;
let key: string;
let otherCa: string;

beforeEach(async () => {
  for (const name of Object.keys(process.env)) if (/^(BAO|VAULT)_/.test(name)) delete process.env[name];
  process.env['VAULT_TOKEN'] = 'a-token';
  directory = await mkdtemp(join(tmpdir(), 'nestjs-vault-env-'));
  const made = await createCertificates({ client: true });
  ({ ca } = made);
  ({ cert = '', key = '' } = made.client ?? {});
  otherCa = (await createCertificates()).ca;
  await Promise.all(
    Object.entries({ 'ca.pem': ca, 'other.pem': otherCa, 'cert.pem': cert, 'key.pem': key }).map(([name, content]) =>
      writeFile(join(directory, name), content),
    ),
  );
});
afterEach(async () => {
  process.env = { ...environment };
  await rm(directory, { recursive: true });
});

interface Row {
  /** Two values and what the transport makes of them. */
  readonly values: readonly [string, string];
  readonly becomes: readonly [unknown, unknown];
  /** The same as the second value, as an option. */
  readonly option: VaultModuleOptions;
  readonly fallback: unknown;
  readonly junk: readonly string[];
  /** Variables without which this one cannot be tried out. */
  readonly beside?: Readonly<Record<string, string>>;
  /** Options without it. Default: an endpoint. */
  readonly base?: VaultModuleOptions;
  readonly read: (transport: Awaited<ReturnType<typeof resolveOptions>>['transport']) => unknown;
}

const file = (name: string): string => join(directory, name);
const request = (options: NonNullable<VaultModuleOptions['request']>): VaultModuleOptions => ({
  ...BASE,
  request: options,
});
const tls = (options: NonNullable<VaultModuleOptions['tls']>): VaultModuleOptions => ({ ...BASE, tls: options });

const ROWS: { readonly [K in keyof typeof VARIABLES]?: () => Row } = {
  address: () => ({
    values: ['https://one:8200/', 'http://127.0.0.1:8200'],
    becomes: ['https://one:8200', 'http://127.0.0.1:8200'],
    option: { endpoint: 'http://127.0.0.1:8200' },
    base: {},
    fallback: /"endpoint" is missing/,
    junk: ['vault', 'vault:8200', 'https://user:SECRET-VALUE@vault', 'unix://relative', 'https://vault/v1'],
    read: ({ endpoint }) => endpoint,
  }),
  agentAddress: () => ({
    values: ['unix:///run/agent.sock', 'http://127.0.0.1:8100'],
    becomes: ['unix:///run/agent.sock', 'http://127.0.0.1:8100'],
    option: { endpoint: 'http://127.0.0.1:8100' },
    base: {},
    beside: { VAULT_ADDR: 'https://vault:8200', BAO_ADDR: 'https://bao:8200' },
    fallback: 'https://bao:8200',
    junk: ['agent', 'unix:///'],
    read: ({ endpoint }) => endpoint,
  }),
  srvLookup: () => ({
    values: ['false', '0'],
    becomes: ['https://vault:8200', 'https://vault:8200'],
    option: { endpoint: 'https://vault:8200' },
    base: {},
    beside: { VAULT_ADDR: 'https://vault:8200' },
    fallback: 'https://vault:8200',
    junk: ['maybe', 'true'],
    read: ({ endpoint }) => endpoint,
  }),
  namespace: () => ({
    values: ['team', 'team/a'],
    becomes: ['team', 'team/a'],
    option: { ...BASE, namespace: 'team/a' },
    fallback: undefined,
    junk: ['a\nb', 'ä'],
    read: ({ namespace }) => namespace,
  }),
  caFile: () => ({
    values: [file('ca.pem'), file('other.pem')],
    becomes: [{ file: file('ca.pem') }, { file: file('other.pem') }],
    option: tls({ ca: { file: file('other.pem') } }),
    beside: { VAULT_CACERT_BYTES: 'junk', VAULT_CAPATH: '/no/such' },
    fallback: /"tls\.ca".*VAULT_CACERT/,
    junk: [file('absent.pem'), file('key.pem'), directory],
    read: ({ tls: { ca: found } }) => found,
  }),
  caBytes: () => ({
    values: [ca, otherCa],
    becomes: [ca, otherCa],
    option: tls({ ca: otherCa }),
    beside: { VAULT_CAPATH: '/no/such' },
    fallback: /VAULT_CAPATH.*\/no\/such.*ENOENT/,
    junk: ['SECRET-VALUE', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
    read: ({ tls: { ca: found } }) => found,
  }),
  caDirectory: () => ({
    values: [`${directory}/`, directory],
    becomes: [{ directory: `${directory}/` }, { directory }],
    option: tls({ ca: { directory } }),
    fallback: undefined,
    junk: [file('absent'), file('ca.pem'), '/proc/self/attr'],
    read: ({ tls: { ca: found } }) => found,
  }),
  certFile: () => ({
    values: [file('cert.pem'), `${directory}//cert.pem`],
    becomes: [{ file: file('cert.pem') }, { file: `${directory}//cert.pem` }],
    option: tls({ cert: { file: `${directory}//cert.pem` } }),
    beside: { VAULT_CLIENT_KEY: file('key.pem'), VAULT_CLIENT_CERT_BYTES: 'junk' },
    fallback: /"tls\.cert"/,
    junk: [file('absent'), file('key.pem'), file('ca.pem')],
    read: ({ tls: { cert: found } }) => found,
  }),
  certBytes: () => ({
    values: [cert, `${cert}\n`],
    becomes: [cert, `${cert}\n`],
    option: tls({ cert: `${cert}\n` }),
    beside: { VAULT_CLIENT_KEY: file('key.pem') },
    fallback: /"tls\.cert" and "tls\.key".*one of them is missing/,
    junk: ['SECRET-VALUE', ca],
    read: ({ tls: { cert: found } }) => found,
  }),
  keyFile: () => ({
    values: [file('key.pem'), `${directory}//key.pem`],
    becomes: [{ file: file('key.pem') }, { file: `${directory}//key.pem` }],
    option: tls({ key: { file: `${directory}//key.pem` } }),
    beside: { VAULT_CLIENT_CERT: file('cert.pem'), VAULT_CLIENT_KEY_BYTES: 'junk' },
    fallback: /"tls\.key"/,
    junk: [file('absent'), file('ca.pem'), '-----BEGIN PRIVATE KEY-----SECRET-VALUE'],
    read: ({ tls: { key: found } }) => found,
  }),
  keyBytes: () => ({
    values: [key, `${key}\n`],
    becomes: [key, `${key}\n`],
    option: tls({ key: `${key}\n` }),
    beside: { VAULT_CLIENT_CERT: file('cert.pem') },
    fallback: /one of them is missing/,
    junk: ['SECRET-VALUE', cert],
    read: ({ tls: { key: found } }) => found,
  }),
  serverName: () => ({
    values: ['vault.internal', 'bao.internal'],
    becomes: ['vault.internal', 'bao.internal'],
    option: tls({ serverName: 'bao.internal' }),
    fallback: undefined,
    junk: ['a\nb'],
    read: ({ tls: { serverName } }) => serverName,
  }),
  skipVerify: () => ({
    values: ['T', 'FALSE'],
    becomes: [false, true],
    option: tls({ rejectUnauthorized: true }),
    fallback: true,
    junk: ['yes', 'tRue', '2', ' true'],
    read: ({ tls: { rejectUnauthorized } }) => rejectUnauthorized,
  }),
  timeoutMs: () => ({
    values: ['1m30.5s', '7'],
    becomes: [90_500, 7000],
    option: request({ timeoutMs: 7000 }),
    fallback: 15_000,
    junk: ['0', '-5s', '5 s', 's', '1e3', '25d', 'SECRET-VALUE', '1.5'],
    read: ({ timeoutMs }) => timeoutMs,
  }),
  retries: () => ({
    values: ['5', '0'],
    becomes: [5, 0],
    option: request({ retries: 0 }),
    fallback: 2,
    junk: ['-1', '1.5', 'two', 'SECRET-VALUE'],
    read: ({ retries }) => retries,
  }),
  rateLimit: () => ({
    values: ['0.5', '10:20'],
    becomes: [
      { perSecond: 0.5, burst: 1 },
      { perSecond: 10, burst: 20 },
    ],
    option: request({ rateLimit: '10:20' }),
    fallback: undefined,
    junk: ['0', '10:0', 'SECRET-VALUE'],
    read: ({ rateLimit }) => rateLimit,
  }),
  headers: () => ({
    values: ['{"X-Gateway":"SECRET-VALUE"}', '{}'],
    becomes: [{ 'x-gateway': 'SECRET-VALUE' }, {}],
    option: request({ headers: {} }),
    fallback: {},
    junk: [
      'SECRET-VALUE',
      '["SECRET-VALUE"]',
      '{"a":7}',
      '{"x-vault-token":"SECRET-VALUE"}',
      '{"X-Vault-Namespace":"a"}',
      '{"a":"SECRET-VALUE\\r\\nb: c"}',
      '{"a b":"SECRET-VALUE"}',
      '{"Host":"SECRET-VALUE"}',
      '{"Content-Length":"7"}',
    ],
    read: ({ headers }) => headers,
  }),
  proxy: () => ({
    values: ['http://proxy:3128', 'https://user:SECRET-VALUE@proxy'],
    becomes: ['http://proxy:3128/', 'https://user:SECRET-VALUE@proxy/'],
    option: request({ proxy: 'https://user:SECRET-VALUE@proxy' }),
    beside: { VAULT_HTTP_PROXY: 'http://other:3128', HTTPS_PROXY: 'http://process:1', https_proxy: 'http://process:1' },
    fallback: 'http://other:3128/',
    junk: [
      'proxy:3128',
      'socks5://user:SECRET-VALUE@proxy',
      'http://u:SECRET-VALUE@p/path',
      'http://u:SECRET-VALUE%zz@p',
      '//p',
    ],
    read: ({ proxy }) => proxy,
  }),
  httpProxy: () => ({
    values: ['http://proxy:3128', 'http://proxy:3129'],
    becomes: ['http://proxy:3128/', 'http://proxy:3129/'],
    option: request({ proxy: 'http://proxy:3129' }),
    beside: { HTTP_PROXY: 'http://process:1', HTTPS_PROXY: 'http://process:1', ALL_PROXY: 'http://process:1' },
    fallback: undefined,
    junk: ['proxy:3128'],
    read: ({ proxy }) => proxy,
  }),
  disableRedirects: () => ({
    values: ['1', 'f'],
    becomes: [false, true],
    option: request({ redirects: true }),
    fallback: true,
    junk: ['no', 'off'],
    read: ({ redirects }) => redirects,
  }),
};

async function outcome({ read }: Row, options: VaultModuleOptions): Promise<unknown> {
  return resolveOptions(options).then(
    ({ transport }) => read(transport),
    (error: unknown) => error,
  );
}

describe.each(Object.entries(ROWS))('%s', (id, makeRow) => {
  const { name, option } = VARIABLES[id as keyof typeof VARIABLES];

  it(`${name} sets ${option}; the option takes precedence over BAO_, which takes precedence over VAULT_`, async () => {
    const row = makeRow();
    const { values, becomes, option: explicit, fallback, beside, base = BASE } = row;
    const sees = (options: VaultModuleOptions = base): Promise<unknown> => outcome(row, options);
    Object.assign(process.env, beside);
    const nothing = async (): Promise<void> => {
      const found = await sees();
      if (fallback instanceof RegExp) expect((found as Error).message).toMatch(fallback);
      else expect(found).toEqual(fallback);
    };
    await nothing();
    process.env[`VAULT_${name}`] = values[0];
    expect(await sees()).toEqual(becomes[0]);
    process.env[`BAO_${name}`] = values[1];
    expect(await sees()).toEqual(becomes[1]);
    process.env[`BAO_${name}`] = '';
    await nothing();
    delete process.env[`BAO_${name}`];
    expect(await sees(explicit)).toEqual(becomes[1]);
  });

  it(`${name} with an invalid value is reported without the value`, async () => {
    const row = makeRow();
    Object.assign(process.env, row.beside);
    for (const junk of row.junk) {
      for (const prefix of ['VAULT', 'BAO']) {
        process.env[`${prefix}_${name}`] = junk;
        const error = await outcome(row, row.base ?? BASE);
        expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
        const { message } = error as Error;
        expect(message.includes(`"${option}"`) || message.includes(`${prefix}_${name}`)).toBe(true);
        expect(renderError(error)).not.toContain('SECRET-VALUE');
        delete process.env[`${prefix}_${name}`];
      }
    }
  });
});

describe.each(Object.entries(ROWS))('%s in quotes', (id, makeRow) => {
  it.each(['"', "'", '`'])('variable with the quotes %s is rejected by name', async (quote) => {
    const row = makeRow();
    const name = `VAULT_${VARIABLES[id as keyof typeof VARIABLES].name}`;
    Object.assign(process.env, row.beside, { [name]: `${quote}${row.values[0]}${quote}` });
    const error = (await outcome(row, row.base ?? BASE)) as Error;
    expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    expect(error.message).toMatch(new RegExp(`^${name} has quotes`));
    expect(renderError(error)).not.toContain('SECRET-VALUE');
  });
});

it.each(['VAULT_ADDR', 'VAULT_AGENT_ADDR'])('white space around the address in %s is removed', async (name) => {
  process.env[name] = ' https://one:8200 ';
  const { transport } = await resolveOptions({});
  expect(transport.endpoint).toBe('https://one:8200');
});

describe('conflicting variables', () => {
  const given = (...options: string[]) => conflictingVariables((option) => options.includes(option));

  it('conflicting variables are reported with the one used first', () => {
    Object.assign(process.env, { BAO_ADDR: 'https://bao:8200', VAULT_ADDR: 'https://vault:8200', BAO_TOKEN: '' });
    expect(given()).toEqual([
      ['BAO_ADDR', 'VAULT_ADDR'],
      ['BAO_TOKEN', 'VAULT_TOKEN'],
    ]);
  });

  it('variables are not reported when they agree, one is missing, or an option is set', () => {
    Object.assign(process.env, {
      BAO_ADDR: 'https://vault:8200',
      VAULT_ADDR: 'https://vault:8200',
      BAO_NAMESPACE: 'team',
      BAO_CACERT: '/one',
      VAULT_CACERT: '/two',
    });
    expect(given('tls.ca', 'auth')).toEqual([]);
  });
});

it('test table covers every variable', () => {
  expect(Object.keys(VARIABLES).filter((id) => !Object.hasOwn(ROWS, id))).toEqual([]);
});

it.each([
  [VARIABLES.retries, { '0': 0, '12': 12, '-1': undefined, '1.5': undefined, '4294967296': undefined, x: undefined }],
  [
    VARIABLES.rateLimit,
    {
      '10': { perSecond: 10, burst: 10 },
      '10.9': { perSecond: 10.9, burst: 10 },
      '0.5': { perSecond: 0.5, burst: 1 },
      '10:20': { perSecond: 10, burst: 20 },
      '0': undefined,
      '10:0': undefined,
      '10:x': undefined,
      ':5': undefined,
      '-1': undefined,
    },
  ],
  [
    VARIABLES.timeoutMs,
    {
      '1h': 3_600_000,
      '100ms': 100,
      '1us': 1,
      '2d': 172_800_000,
      '1.5h30m': 7_200_000,
      '.5s': 500,
      '+5': 5000,
      '1µs': 1,
    },
  ],
] as const)('variable parser accepts what Go accepts: %j', ({ parse }, values) => {
  for (const [text, value] of Object.entries(values)) expect([text, parse(text)]).toEqual([text, value]);
});

it('token helper file is read only with tokenHelper()', () => {
  process.env['BAO_TOKEN_PATH'] = '/run/token';
  expect(tokenHelper()).toEqual({ file: '/run/token' });
  delete process.env['BAO_TOKEN_PATH'];
  expect(tokenHelper()).toEqual({ file: expect.stringMatching(/[\\/]\.vault-token$/) as unknown });
});
