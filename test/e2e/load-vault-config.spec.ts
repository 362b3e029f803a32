import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { freePort } from '../support/fault-server.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SECRET = { PASSWORD: 'correct horse', PORT: 5432, nested: { list: [1, 'two'] } };

let server: VaultServer;
beforeAll(async () => {
  server = await startVaultServer();
  await server.seed({ 'secret/app': SECRET, 'secret/db': { password: 'hunter2' } });
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('PUT', 'sys/policies/acl/app', { policy: 'path "secret/data/app" { capabilities = ["read"] }' });
  await server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_policies: ['app'] });
});
afterAll(() => server.stop());

interface Outcome {
  /** `null` when the process was killed because it did not end by itself. */
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a plain program on the built package; nothing ends it but itself. */
function run(format: 'module' | 'commonjs', program: string, env: Record<string, string>): Promise<Outcome> {
  const load =
    format === 'module'
      ? `import { loadVaultConfig } from 'nestjs-vault';`
      : `const { loadVaultConfig } = require('nestjs-vault');`;
  const args = [`--input-type=${format}`, '--eval', `${load}\n${program}`];
  const options = { cwd: ROOT, env: { PATH: process.env['PATH'], ...env }, timeout: 20_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? null) : 0, stdout, stderr });
    });
  });
}

/** Accessors of tokens that logins by password have left. */
async function leftTokens(): Promise<number> {
  const { body } = await server.request('GET', 'auth/token/accessors?list=true');
  const { keys } = (body as { data: { keys: string[] } }).data;
  return keys.length;
}

describe.each(['module', 'commonjs'] as const)('loadVaultConfig in a program of its own (%s)', (format) => {
  it('gives the values, nested as asked, gives its token back, and lets the process end', async () => {
    const before = await leftTokens();
    const options = {
      endpoint: server.endpoint,
      auth: { method: 'userpass', username: 'app', password: { env: 'APP_PASSWORD' } },
      config: { sources: ['app', { secretPath: 'app', as: 'again', keys: ['PORT'] }] },
    };
    const outcome = await run(
      format,
      `loadVaultConfig(${JSON.stringify(options)}).then((values) => console.log(JSON.stringify(values)));`,
      { APP_PASSWORD: 'pw-of-app' },
    );
    expect(outcome).toEqual({ code: 0, stdout: expect.any(String) as unknown, stderr: '' });
    // Standard output is the program's alone.
    expect(JSON.parse(outcome.stdout)).toEqual({ ...SECRET, again: { PORT: 5432 } });
    expect(await leftTokens()).toBe(before);
  });

  it('leaves the files it was asked for until the process ends, however that does', async () => {
    const sources = [{ secretPath: 'app', files: ['PASSWORD'] }];
    const outcome = await run(
      format,
      `loadVaultConfig({ config: { sources: ${JSON.stringify(sources)} } }).then(({ PASSWORD_FILE }) => {
        const { readFileSync } = process.getBuiltinModule('node:fs');
        console.log(JSON.stringify([PASSWORD_FILE, readFileSync(PASSWORD_FILE, 'utf8')]));
        throw 'the end';
      });`,
      { VAULT_ADDR: server.endpoint, VAULT_TOKEN: server.rootToken },
    );
    const [file, content] = JSON.parse(outcome.stdout) as [string, string];
    expect([outcome.code, content, existsSync(file)]).toEqual([1, SECRET.PASSWORD, false]);
  });

  it('takes endpoint and token from the environment, fails as a boot does, and lets the process end then too', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const program = `
      const told = [];
      const tell = (promise) => promise.then((values) => told.push(values), ({ code, errors }) => told.push([code, errors?.length]));
      tell(loadVaultConfig({ config: { sources: ['db'] } }))
        .then(() => tell(loadVaultConfig()))
        .then(() => tell(loadVaultConfig({ config: { sources: ['db', 'absent'] } })))
        .then(() => tell(loadVaultConfig({ endpoint: '${nobody}', auth: { method: 'token', token: 'x' }, boot: { timeoutMs: 1_000 }, request: { retries: 0 } })))
        .then(() => tell(loadVaultConfig({ endpont: 'x' })))
        .then(() => console.log(JSON.stringify(told)));`;
    const outcome = await run(format, program, { VAULT_ADDR: server.endpoint, VAULT_TOKEN: server.rootToken });
    // It says that it waits, once.
    const stderr = expect.stringMatching(/^nestjs-vault: .*ECONNREFUSED.*\n$/) as unknown;
    expect(outcome).toEqual({ code: 0, stdout: expect.any(String) as unknown, stderr });
    expect(JSON.parse(outcome.stdout)).toEqual([
      { password: 'hunter2' },
      {},
      ['VAULT_CONFIGURATION', 1],
      ['VAULT_CONNECTION', null],
      ['VAULT_INVALID_OPTION', null],
    ]);
  });
});
