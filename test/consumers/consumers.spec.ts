import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startVaultServer } from '../../lib/testing/index.js';
import { packPackage } from '../support/packed-package.js';
import type { PackedPackage } from '../support/packed-package.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FIXTURES = join(ROOT, 'test/consumers/fixtures');
const LIMIT_MS = 300_000;
jest.setTimeout(2 * LIMIT_MS);

interface Outcome {
  /** `null` when the process was ended because it did not leave by itself. */
  code: number | null;
  output: string;
}

/** Runs a program to its end without throwing: the caller compares code and output together. */
function run(program: string, arguments_: string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const options = {
    cwd,
    // Colors and Jest's own settings of this process are not the consumer's.
    env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', FORCE_COLOR: '0', ...env },
    timeout: LIMIT_MS,
    maxBuffer: 32 * 1024 * 1024,
    shell: process.platform === 'win32',
  };
  return new Promise((resolve) => {
    execFile(program, arguments_, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}

describe('the packed package', () => {
  let packed: PackedPackage;
  let projects: string;

  beforeAll(async () => {
    packed = await packPackage();
    projects = await mkdtemp(join(tmpdir(), 'consumers-'));
  });

  afterAll(async () => {
    await packed?.remove();
    await rm(projects, { recursive: true, force: true });
  });

  /** An empty project elsewhere, with what its package.json pins and the tarball installed from the registry's client. */
  async function install(fixture: string): Promise<string> {
    const project = join(projects, fixture);
    await cp(join(FIXTURES, fixture), project, { recursive: true });
    const outcome = await run(
      'npm',
      ['install', '--no-audit', '--no-fund', '--prefer-offline', packed.tarball],
      project,
    );
    expect(outcome).toEqual({ code: 0, output: expect.any(String) });
    return project;
  }

  it('holds the two builds and nothing of the development', () => {
    const folders = new Set(packed.files.map((file) => file.split('/').slice(0, 2).join('/')));
    const documents = ['README.md', 'CHANGELOG.md', 'LICENSE'];
    expect([...folders].sort()).toEqual(['dist/cjs', 'dist/esm', 'package.json', ...documents].sort());
  });

  it('has entry points that exist and mean the same in every mode (publint)', async () => {
    const outcome = await run('npx', ['publint', 'run', packed.tarball, '--strict'], ROOT);
    expect(outcome).toEqual({ code: 0, output: expect.stringContaining('All good') });
  });

  it('has types that match what is loaded (are the types wrong)', async () => {
    const outcome = await run('npx', ['attw', packed.tarball, '--format', 'ascii'], ROOT);
    expect(outcome).toEqual({ code: 0, output: expect.stringContaining('No problems found') });
  });

  it('works in an empty Nest 12 project: ES modules, compiled by tsc with library checks', async () => {
    const project = await install('nest12-esm');
    expect(await run('npm', ['run', 'build'], project)).toEqual({ code: 0, output: expect.any(String) });
    const server = await startVaultServer();
    try {
      const secret = { SMTP_PASSWORD: 'correct horse battery staple', SMTP_PORT: 2525 };
      await server.seed({ 'secret/consumer': secret });
      const env = { VAULT_ADDR: server.endpoint, APP_TOKEN: server.rootToken };
      const { code, output } = await run(process.execPath, ['dist/main.js'], project, env);
      const digest = createHash('sha256').update(secret.SMTP_PASSWORD).digest('hex');
      const printed = JSON.stringify({ password: digest, port: secret.SMTP_PORT, again: digest });
      expect({ code, output: output.trim() }).toEqual({ code: 0, output: printed });
      // The program of the package, as installed: the values go to the command and nowhere else.
      const command = ['-p', '[process.env.SMTP_PASSWORD, process.env.SMTP_PORT, process.env.VAULT_TOKEN].join()'];
      const cli = ['nestjs-vault', 'run', '--sources', 'consumer', '--', process.execPath, ...command];
      const given = { VAULT_ADDR: server.endpoint, VAULT_TOKEN: server.rootToken };
      const commandOutput = `${secret.SMTP_PASSWORD},${secret.SMTP_PORT},\n`;
      expect(await run('npx', cli, project, given)).toEqual({ code: 0, output: commandOutput });
    } finally {
      await server.stop();
    }
  });

  it("gives TypeORM's command line its data source, as ES module and as CommonJS", async () => {
    const project = await install('typeorm');
    const server = await startVaultServer();
    try {
      for (const format of ['mjs', 'cjs']) {
        const file = join(project, `${format}.sqlite`);
        await server.seed({ 'secret/database': { file } });
        const env = { VAULT_ADDR: server.endpoint, VAULT_TOKEN: server.rootToken };
        const outcome = await run('npx', ['typeorm', 'migration:run', '-d', `data-source.${format}`], project, env);
        expect(outcome).toEqual({ code: 0, output: expect.stringContaining('has been executed successfully') });
        expect((await stat(file)).size).toBeGreaterThan(0);
      }
    } finally {
      await server.stop();
    }
  });

  it('works in an empty Nest 11 project: CommonJS, ts-jest, the oldest module resolution, its own server', async () => {
    const project = await install('nest11-commonjs-jest');
    const outcome = await run('npx', ['jest', '--ci'], project);
    expect(outcome).toEqual({ code: 0, output: expect.stringContaining('2 passed, 2 total') });
    expect(outcome.output).not.toContain('did not exit');
  });
});
