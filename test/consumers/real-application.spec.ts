import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import type { PackedPackage } from '../support/packed-package.js';
import { packPackage } from '../support/packed-package.js';
import type { PostgresServer } from '../support/postgres-server.js';
import { startPostgresServer } from '../support/postgres-server.js';

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url));
const LIMIT_MS = 300_000;
jest.setTimeout(LIMIT_MS);

const DATABASE_PASSWORD = 'data/base@pass#word';
const PLACEHOLDER = 'replace-me-replace-me';

/** The application's secrets, by variable. */
const SECRETS = {
  DB_PASSWORD: DATABASE_PASSWORD,
  JWT_SECRET: 'jwt-secret-of-the-shop-0123',
  SIGNING_KEY_BASE64: Buffer.from(
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
  ).toString('base64'),
  REDIS_PASSWORD: 'p@ss/word:with#signs',
  MAIL_TRANSPORT: JSON.stringify({ host: 'mail', auth: { user: 'shop', pass: 'mail "secret" $HOME' } }),
  S3_SECRET_ACCESS_KEY: 's3/secret+key',
  FEATURES: 'search, basket ,checkout',
  SIGNATURE_SALT: 'salt-for-signatures',
};
type SecretName = keyof typeof SECRETS;

interface Outcome {
  /** `null` when the process was ended because it did not end by itself. */
  readonly code: number | null;
  readonly output: string;
}

/** One way to give the application its secrets: how a command of it is started. */
interface Way {
  readonly name: string;
  /** Text of `.env` for a secret. */
  readonly variable: (name: SecretName) => string;
  readonly command: (...command: string[]) => string[];
  /** Variables of the environment. */
  readonly environment: (server: VaultServer) => Record<string, string>;
  /** Fixture that is copied over the application. */
  readonly overlay?: string;
}

const plain = (name: SecretName): string => `'${SECRETS[name]}'`;
const reference = (name: SecretName): string => `"vault:secret/data/shop#${name}"`;
const connection = ({ endpoint, rootToken }: VaultServer) => ({ VAULT_ADDR: endpoint, VAULT_TOKEN: rootToken });

const PLAIN: Way = { name: 'plain .env', variable: plain, command: (...command) => command, environment: () => ({}) };
const WAYS: readonly Way[] = [
  {
    name: 'nestjs-vault run',
    variable: reference,
    command: (...command) => ['node_modules/.bin/nestjs-vault', 'run', '--', ...command],
    environment: connection,
  },
  {
    name: 'nestjs-vault/register',
    variable: reference,
    command: (...command) => command,
    environment: (server) => ({ ...connection(server), NODE_OPTIONS: '--import nestjs-vault/register' }),
  },
  {
    name: 'the module with references',
    variable: reference,
    command: (...command) => command,
    environment: connection,
    overlay: 'shop-module',
  },
];

let packed: PackedPackage;
let projects: string;
let postgres: PostgresServer;
let server: VaultServer;

beforeAll(async () => {
  projects = await mkdtemp(join(tmpdir(), 'consumers-shop-'));
  [packed, postgres, server] = await Promise.all([
    packPackage(),
    startPostgresServer(DATABASE_PASSWORD),
    startVaultServer(),
  ]);
});
afterAll(async () => {
  await Promise.all([packed?.remove(), postgres?.stop(), server?.stop()]);
  await rm(projects, { recursive: true, force: true });
});

/** The environment of a command: this process's without what belongs to Jest. */
function environmentWith(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'development', NO_COLOR: '1', FORCE_COLOR: '0', ...more };
}

function run(command: readonly string[], cwd: string, environment: Readonly<Record<string, string>>): Promise<Outcome> {
  const [program = '', ...args] = command;
  const options = { cwd, env: environmentWith(environment), timeout: LIMIT_MS, maxBuffer: 32 * 1024 * 1024 };
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}

const succeeds = (text: string): Outcome => ({ code: 0, output: expect.stringContaining(text) as unknown as string });

/** Starts the application, asks it, and ends it with SIGTERM. */
async function ask(way: Way, project: string): Promise<Record<string, unknown>> {
  const [program = '', ...args] = way.command(process.execPath, 'dist/main.js');
  const application = spawn(program, args, {
    cwd: project,
    env: environmentWith(way.environment(server)),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => application.once('exit', resolve));
  try {
    const port = await listening(application);
    const responses = await Promise.all(
      ['users', 'api/status'].map(async (path) => {
        const response = await fetch(`http://127.0.0.1:${port}/${path}`);
        return [path, response.status, await response.json()] as const;
      }),
    );
    return Object.fromEntries(responses.map(([path, status, body]) => [path, { status, body }]));
  } finally {
    application.kill('SIGTERM');
    await ended;
  }
}

function listening(application: ChildProcess): Promise<string> {
  let output = '';
  return new Promise((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const port = /LISTENING (\d+)/.exec(output)?.[1];
      if (port !== undefined) resolve(port);
    };
    application.stdout?.on('data', read);
    application.stderr?.on('data', read);
    application.once('exit', (code) => reject(new Error(`The application ended with code ${code}:\n${output}`)));
  });
}

describe.each(['shop-nest11-commonjs', 'shop-nest12-esm'])('the application %s', (fixture) => {
  let project: string;
  let expected: Record<string, unknown>;
  /** What the project was built with; ways with an overlay come last. */
  let built: string | null | undefined = null;

  beforeAll(async () => {
    project = join(projects, fixture);
    for (const part of ['shop', fixture]) await cp(join(FIXTURES, part), project, { recursive: true });
    const install = ['npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', packed.tarball];
    expect(await run(install, project, {})).toEqual(succeeds(''));
  });

  async function prepare(way: Way, changed: Partial<Record<SecretName, string>> = {}): Promise<void> {
    const secrets = { ...SECRETS, ...changed };
    await server.seed({ 'secret/shop': secrets });
    const names = Object.keys(SECRETS) as SecretName[];
    const lines = [
      'DB_HOST=127.0.0.1',
      `DB_PORT=${postgres.port}`,
      `DB_USER=${postgres.user}`,
      ...names.map((name) => `${name}=${way.variable === plain ? `'${secrets[name]}'` : way.variable(name)}`),
    ];
    await writeFile(join(project, '.env'), `${lines.join('\n')}\n`);
    if (way.overlay === built) return;
    if (way.overlay !== undefined) await cp(join(FIXTURES, way.overlay), project, { recursive: true });
    expect(await run(['npm', 'run', 'build'], project, {})).toEqual(succeeds(''));
    built = way.overlay;
  }

  const start = (way: Way, ...command: string[]): Promise<Outcome> =>
    run(way.command(...command), project, way.environment(server));
  const typeorm = (way: Way, command: string): Promise<Outcome> =>
    start(way, process.execPath, 'node_modules/typeorm/cli.js', command, '-d', 'dist/data-source.js');

  /** Migrations, seeds, the running application, its own tests. */
  async function live(way: Way): Promise<Record<string, unknown>> {
    await prepare(way);
    expect(await typeorm(way, 'migration:run')).toEqual(succeeds('executed successfully'));
    try {
      expect(await start(way, process.execPath, 'dist/seeds/run-seed.js')).toEqual(succeeds('SEEDED'));
      const responses = await ask(way, project);
      expect(await start(way, 'npm', 'test')).toEqual(succeeds(''));
      return responses;
    } finally {
      expect(await typeorm(way, 'migration:revert')).toEqual(succeeds('reverted successfully'));
    }
  }

  it('works with its secrets in .env', async () => {
    expected = await live(PLAIN);
    expect(expected).toMatchObject({
      users: { status: 200, body: ['Ada', 'Grace'] },
      'api/status': { status: 200, body: { signed: true, features: ['SEARCH', 'BASKET', 'CHECKOUT'] } },
    });
  });

  describe.each(WAYS)('with $name', (way) => {
    it('behaves as with its secrets in .env', async () => {
      expect(await live(way)).toEqual(expected);
    });

    it('does not start on a placeholder or on a value that is too short', async () => {
      await prepare(way, { JWT_SECRET: PLACEHOLDER });
      const guarded = await start(way, process.execPath, 'dist/main.js');
      expect(guarded).toMatchObject({
        code: 1,
        output: expect.stringContaining('still is the placeholder') as unknown,
      });
      await prepare(way, { DB_PASSWORD: 'short' });
      const invalid = await start(way, process.execPath, 'dist/main.js');
      expect(invalid).toMatchObject({
        code: 1,
        output: expect.stringContaining('invalid variable: DB_PASSWORD') as unknown,
      });
    });
  });
});
