import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { z } from 'zod';
import { boot } from '../../lib/boot/boot.js';
import type { VaultConfigOptions } from '../../lib/index.js';
import { vaultConfig } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';

let server: VaultServer;

beforeAll(async () => {
  server = await startVaultServer();
  await server.seed({
    'secret/application': { LEVEL: 'value-1', TIER: 'value-2' },
    'secret/my-app': { LEVEL: 'value-3', 'forged\n[Nest] line': 'value-4' },
    'secret/database': { password: 'value-5', user: 'value-6' },
  });
});
afterAll(() => server.stop());

async function summaryOf(config: VaultConfigOptions): Promise<string[]> {
  const lines: string[] = [];
  const note = (message: string) => void lines.push(message);
  const runtime = await boot(
    { endpoint: server.endpoint, auth: { method: 'token', token: server.rootToken }, config },
    { log: { log: note, debug: note, warn: note, error: note } },
  );
  const told = [...lines];
  await runtime.close();
  return told;
}

async function linesOfLogger(): Promise<unknown[]> {
  const written: unknown[] = [];
  const logger = new Logger('VaultModule');
  logger.log = (message: unknown) => void written.push(message);
  logger.debug = (message: unknown) => void written.push(message);
  const auth = { method: 'token', token: server.rootToken } as const;
  const options = { endpoint: server.endpoint, auth, config: { sources: ['my-app'] } };
  const runtime = await boot(options, { log: logger });
  const told = [...written];
  await runtime.close();
  return told;
}

describe('the summary of a boot', () => {
  it('tells the place, version and age of every key and what it hid, and no value', async () => {
    Object.assign(process.env, {
      NESTJS_VAULT_DEBUG: '1',
      DATABASE_USER: 'value-7',
      REFERRING: 'vault:secret/my-app#LEVEL',
    });
    const database = vaultConfig('database', {
      secretPath: 'database',
      schema: z.object({ password: z.string(), user: z.string(), port: z.number().default(5432) }),
    });
    const lines = await summaryOf({
      precedence: 'env',
      layout: { application: 'my-app' },
      sources: [database],
      load: [() => ({ MADE: 'value-8' })],
    });
    const [first, ...keys] = lines;
    expect(first).toMatch(
      /^Logged in to http:\S+ \(accessor \S+\); 6 values from 3 secrets; 1 from the environment; 1 from config\.load$/,
    );
    const version = 'version 1, written \\d+ (ms|seconds) ago';
    const expected = [
      `LEVEL: secret/my-app, ${version}; hides secret/application, version 1`,
      `TIER: secret/application, ${version}`,
      `"forged\\\\n\\[Nest\\] line": secret/my-app, ${version}`,
      `database\\.password: secret/database, ${version}`,
      'database\\.user: variable DATABASE_USER; hides secret/database, version 1',
      'database\\.port: made by the schema of secret/database, version 1',
      'MADE: config\\.load',
      `REFERRING: variable REFERRING, which refers to secret/my-app, ${version}`,
    ];
    expect(keys).toHaveLength(expected.length);
    for (const line of expected) expect(keys).toContainEqual(expect.stringMatching(new RegExp(`^${line}$`)));
    expect(lines.join('\n')).not.toMatch(/value-|5432/);
    delete process.env['REFERRING'];
    delete process.env['NESTJS_VAULT_DEBUG'];
  });

  it('is one line unless the others are asked for, also where no levels are set', async () => {
    expect(await linesOfLogger()).toHaveLength(1);
    for (const value of ['', '0', 'false']) {
      process.env['NESTJS_VAULT_DEBUG'] = value;
      expect(await linesOfLogger()).toHaveLength(1);
    }
    process.env['NESTJS_VAULT_DEBUG'] = 'true';
    expect(await linesOfLogger()).toHaveLength(3);
    delete process.env['NESTJS_VAULT_DEBUG'];
  });

  it('counts a value once, whatever names it has, and references as values from secrets', async () => {
    process.env['REFERRING'] = 'vault:secret/database#user';
    const [line] = await summaryOf({
      aliases: 'SCREAMING_CASE',
      sources: [{ secretPath: 'application', as: 'app' }],
      load: [() => ({ one: 1, two: 2 })],
    });
    expect(line).toMatch(/; 3 values from 2 secrets; 2 from config\.load$/);
    delete process.env['REFERRING'];
  });
});

describe('the log of a boot', () => {
  const environment = { ...process.env };
  afterEach(() => {
    process.env = { ...environment };
  });

  it('warns once of each variable that another one overrides, without a value', async () => {
    Object.assign(process.env, { BAO_NAMESPACE: '', VAULT_NAMESPACE: 'value-1', BAO_ADDR: 'x', VAULT_ADDR: 'value-2' });
    const lines = await summaryOf({});
    const warnings = lines.filter((line) => line.includes('is ignored'));
    // The address is given as an option.
    expect(warnings).toEqual([
      expect.stringMatching(/^VAULT_NAMESPACE is ignored because BAO_NAMESPACE is set but empty/),
    ]);
    expect(warnings.join()).not.toContain('value-');
  });
});
